// What the tool has to say: problems while working on one thing, and the list of all findings.

// Thrown where something that a document asks for cannot be done. Whoever knows the document and the
// line catches it and turns it into a finding.
export class Problem extends Error {}

export class Report {
  #findings = [];
  #notes = [];

  add(path, line, message) {
    this.#findings.push({ path, line, message });
  }

  // A note is worth knowing but fails nothing.
  note(path, line, message) {
    this.#notes.push({ path, line, message });
  }

  // Runs `work`; a Problem becomes a finding at that line, anything else is a fault of this tool.
  guard(path, line, work) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.add(path, line, error.message);
      return undefined;
    }
  }

  get count() {
    return this.#findings.length;
  }

  findingLines() {
    return formatSorted(this.#findings);
  }

  noteLines() {
    return formatSorted(this.#notes);
  }
}

function formatSorted(entries) {
  return [...entries]
    .sort((a, b) => compareText(a.path, b.path) || a.line - b.line)
    .map(({ path, line, message }) => `${path}:${line}: ${message}`);
}

function compareText(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
