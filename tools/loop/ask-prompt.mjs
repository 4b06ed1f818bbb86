// How a prompt is put together: what must be in it, what fits of the rest, and fences that their content cannot close.

import { UsageProblem } from '../observe/problem.mjs';

/**
 * About how many tokens a text has: one for each 4 characters of ASCII, and one for each other character. Models differ;
 * in some, code costs a quarter more.
 */
export function estimateTokens(text) {
  const others = text.match(/[^\x00-\x7f]/gu)?.length ?? 0;
  return Math.ceil((text.replace(/[^\x00-\x7f]/gu, '').length) / 4) + others;
}

/** A fence around lines, longer than any that is in them. */
export function fence(lines, language = '') {
  const longest = Math.max(2, ...lines.flatMap((line) => line.match(/`+/g) ?? []).map((run) => run.length));
  const ticks = '`'.repeat(longest + 1);
  return [ticks + language, ...lines, ticks].join('\n');
}

/** Lines with their numbers and a bar in front, so that they can be cited and none of them begins as a line of ours. */
export function numberLines(lines, first = 1) {
  const width = String(first + lines.length - 1).length;
  return lines.map((line, index) => `${String(first + index).padStart(width)} | ${line}`.trimEnd());
}

/**
 * The prompt: `core`, and of `pieces` ([{part, title, text, name?}], the dearest first) as many as fit into `budget` tokens, from the
 * first on. What has been left out stands at its end. Returns {text, tokens, dropped: [words]}. Throws UsageProblem when the
 * core alone is too much.
 */
export function fitPrompt(core, pieces, budget = Infinity) {
  for (let count = pieces.length; count >= 0; count -= 1) {
    const dropped = nameDropped(pieces, count);
    const text = assemble(core, pieces.slice(0, count), dropped, budget);
    const tokens = estimateTokens(text);
    if (tokens <= budget) return { text, tokens, dropped };
    if (count === 0) {
      throw new UsageProblem(`a budget of ${budget} tokens is too small for the rules, the question and the evidence: the smallest that works is ${findSmallest(core, pieces)}`);
    }
  }
}

// The note names the budget, so a smaller budget has a shorter note: the smallest is the first that fits itself.
function findSmallest(core, pieces) {
  const dropped = nameDropped(pieces, 0);
  let budget = estimateTokens(assemble(core, [], dropped, 1));
  while (estimateTokens(assemble(core, [], dropped, budget)) > budget) budget += 1;
  return budget;
}

function assemble(core, pieces, dropped, budget) {
  const blocks = [core.trimEnd()];
  pieces.forEach(({ part, title, text }, index) => {
    if (pieces[index - 1]?.part !== part) blocks.push(`# ${part}`);
    blocks.push(title === '' ? text : `## ${title}\n\n${text}`);
  });
  if (dropped.length > 0) {
    blocks.push(`# Left out\n\nA budget of ${budget} tokens has left out, from the end: ${dropped.join('; ')}. Where you need it, ask the learner to show it.`);
  }
  return `${blocks.join('\n\n')}\n`;
}

/** The pieces from `count` on in words: a part by its name where all of it is missing. */
function nameDropped(pieces, count) {
  const parts = [...new Set(pieces.map(({ part }) => part))];
  return parts.flatMap((part) => {
    const gone = pieces.filter((piece, index) => piece.part === part && index >= count);
    if (gone.length === 0) return [];
    const isWhole = gone.length === pieces.filter((piece) => piece.part === part).length;
    return [isWhole ? part : `of "${part}": ${gone.map(({ title, name = title }) => name).join(', ')}`];
  });
}
