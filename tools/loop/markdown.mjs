// Shows the texts' Markdown in a terminal: what the questions and their answers use of it.

const none = (_, text) => text;

/**
 * A text's paragraphs, each on one line, for Dialogue.say to wrap; code blocks are set in. Emphasis and code are coloured
 * by `paint`; without colours they keep their signs, except for what is bold. A link is its words and where it leads.
 * `folder` is that of the document, from the project's root.
 */
export function renderMarkdown(text, { paint = none, folder = 'docs' } = {}) {
  const isColoured = paint('bold', '') !== '';
  return splitBlocks(text).map(({ code, words }) => (code ? code.map((line) => `    ${line}`).join('\n') : renderSpans(words, paint, isColoured, folder)))
    .join('\n\n');
}

function splitBlocks(text) {
  const blocks = [];
  let fence = null;
  let paragraph = [];
  const endParagraph = () => {
    if (paragraph.length > 0) blocks.push({ words: paragraph.join(' ') });
    paragraph = [];
  };
  for (const line of text.replace(/<!--[\s\S]*?-->/g, '').split('\n')) {
    const ticks = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence) {
      if (ticks !== undefined && line.trim() === ticks && ticks.length >= fence.length) fence = null;
      else blocks.at(-1).code.push(line);
    } else if (ticks !== undefined) {
      endParagraph();
      fence = ticks;
      blocks.push({ code: [] });
    } else if (line.trim() === '') endParagraph();
    else paragraph.push(line.trim());
  }
  endParagraph();
  return blocks;
}

// A code span, whose ticks and words are the first two groups, or a link, whose words and target are the others.
const spanForm = /(?<![\\`])(`+)(?!`)(.*?[^`])\1(?!`)|!?\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]*)[^)]*\)/g;

// What stands in code means itself. A word that is wrapped keeps its colour, since each is painted alone.
function renderSpans(text, paint, isColoured, folder) {
  const parts = [];
  let end = 0;
  for (const span of text.matchAll(spanForm)) {
    const [whole, ticks, code, words, target] = span;
    parts.push(renderEmphasis(text.slice(end, span.index), paint, isColoured));
    if (ticks === undefined) parts.push(`${renderSpans(words, paint, isColoured, folder)} (${resolveTarget(target, folder)})`);
    else parts.push(isColoured ? paintWords('cyan', code.trim(), paint) : whole);
    end = span.index + whole.length;
  }
  return parts.join('') + renderEmphasis(text.slice(end), paint, isColoured);
}

function renderEmphasis(text, paint, isColoured) {
  return text
    .replace(/\*\*/g, '')
    .replace(/(?<![\w*])\*(?=\S)([^*]*[^\s*])\*(?![\w*])/g, (whole, words) => (isColoured ? paintWords('bold', words, paint) : whole));
}

function resolveTarget(target, folder) {
  if (/^[a-z]+:/.test(target)) return target;
  if (target.startsWith('#')) return target;
  const parts = [];
  for (const part of `${folder}/${target}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const paintWords = (style, text, paint) => text.split(' ').map((word) => (word === '' ? '' : paint(style, word))).join(' ');
