// Reads a tool's command line.

import { parseArgs } from 'node:util';
import { UsageProblem } from './problem.mjs';

/**
 * NAME EXECUTABLE and the options that `options` describes (in the form of util.parseArgs). Both words
 * may be missing when `needsServer(values)` says so. Throws UsageProblem.
 */
export function readCommandLine(words, options, needsServer = () => true) {
  const { values, positionals } = parse(words, options);
  if (!needsServer(values)) {
    if (positionals.length > 0) throw new UsageProblem(`'${positionals[0]}' is one word too many beside the options`);
    return values;
  }
  const [name, executable, surplus] = positionals;
  if (executable === undefined) throw new UsageProblem('the name of the chapter and its executable are wanted');
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many`);
  return { ...values, name, executable };
}

function parse(words, options) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true });
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
    // Node's second sentence explains how to pass a word that begins with a dash; nobody asked.
    throw new UsageProblem(error.message.split('. ')[0].replace(/\s+/g, ' '));
  }
}

/** The words before `--`, which are ours, and those behind it, which are the server's. */
export function splitAtDashes(words) {
  const at = words.indexOf('--');
  return at === -1 ? [words, []] : [words.slice(0, at), words.slice(at + 1)];
}

/** The whole number of an option, or `fallback` when it was not given. Throws UsageProblem. */
export function readNumber(values, option, { fallback, minimum, maximum }) {
  const text = values[option];
  if (text === undefined) return fallback;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < minimum || number > maximum) {
    throw new UsageProblem(`--${option} wants a whole number from ${minimum} to ${maximum}, not '${text}'`);
  }
  return number;
}

/** The value of an option that must be one of a few words; the first is the default. Throws UsageProblem. */
export function readChoice(values, option, choices) {
  const text = values[option] ?? choices[0];
  if (!choices.includes(text)) throw new UsageProblem(`--${option} wants ${choices.join(' or ')}, not '${text}'`);
  return text;
}
