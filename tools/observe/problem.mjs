// Failures that a learner is told about in one line, with the exit code that goes with them.

/** Something went wrong that the message explains: what, where, and what to do. */
export class Problem extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command line is wrong. */
export class UsageProblem extends Problem {
  constructor(message) {
    super(message, 2);
  }
}

/** This machine lacks a program or a right. Tests skip on 77, as automake's and ctest's do. */
export class Unavailable extends Problem {
  constructor(message) {
    super(message, 77);
  }
}
