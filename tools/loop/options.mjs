// Reads the command line of a command of the loop.

import { parseArgs } from 'node:util';
import { UsageProblem } from '../observe/problem.mjs';
import { findNearest } from './words.mjs';

/**
 * {values, positionals} of the words, by `options` in the form of util.parseArgs. Throws UsageProblem, which names the
 * nearest option where there is none like that, and the surplus word where there are more than `most` positionals.
 */
export function readOptions(command, words, options, most = 1) {
  const parsed = parse(command, words, options);
  if (parsed.positionals.length > most) throw new UsageProblem(`'${parsed.positionals[most]}' is one word too many`);
  for (const [name, { type }] of Object.entries(options)) {
    if (type === 'string' && parsed.values[name] === '') throw new UsageProblem(`--${name} needs a value`);
  }
  return parsed;
}

function parse(command, words, options) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true });
  } catch (error) {
    if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      const word = /'(-[^']*)'/.exec(error.message)?.[1] ?? 'of that name';
      const nearest = word.startsWith('--') ? findNearest(word.slice(2), Object.keys(options)) : undefined;
      throw new UsageProblem(`${command} has no option ${word}${nearest ? `; did you mean --${nearest}?` : ''}`);
    }
    if (error.code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') throw error;
    const name = /--([\w-]+)/.exec(error.message)?.[1];
    throw new UsageProblem(options[name]?.type === 'string' ? `--${name} needs a value` : `--${name} takes no value`);
  }
}
