// A thread that colours texts: each message {key, text, language} is answered by {key, lines}.

import { parentPort } from 'node:worker_threads';
import { createHighlighterCore } from '@shikijs/core';
import { createOnigurumaEngine } from '@shikijs/engine-oniguruma';
import { splitLines } from '../../docs/lib/cpp-ranges.mjs';
import { classOf, grammars, theme } from './grammars.mjs';

const ready = createHighlighterCore({ themes: [theme], langs: [], engine: createOnigurumaEngine(import('@shikijs/engine-oniguruma/wasm-inlined')) });

async function colour({ key, text, language }) {
  const highlighter = await ready;
  const { name, load } = grammars[language];
  if (!highlighter.getLoadedLanguages().includes(name)) await highlighter.loadLanguage(load());
  // Without a limit of time: what a slow machine could not colour in half a second would be plain.
  const lines = highlighter.codeToTokensBase(splitLines(text).join('\n'), { lang: name, theme: theme.name, tokenizeTimeLimit: 0 });
  return { key, lines: lines.map(joinAlike) };
}

// Neighbours of one class are one; blanks belong to the token before them.
function joinAlike(tokens) {
  const line = [];
  for (const { content, color } of tokens) {
    if (content === '') continue;
    const name = content.trim() === '' ? line.at(-2) ?? '' : classOf(color);
    if (line.length > 0 && line.at(-2) === name) line[line.length - 1] += content;
    else line.push(name, content);
  }
  return line;
}

// One at a time, in the order in which they come.
let last = Promise.resolve();
parentPort.on('message', (item) => {
  last = last.then(async () => parentPort.postMessage(await colour(item)));
});
