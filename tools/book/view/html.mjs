// Text and coloured code as HTML. Runs in the builder and in the page.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (sign) => escapes[sign]);

/** In code a quote needs no escape, and there are many. */
const escapeText = (text) => text.replace(/[&<>]/g, (sign) => escapes[sign]);

/** The text of a coloured line: [class, text, class, text...]. */
export const textOf = (tokens) => tokens.filter((_, index) => index % 2 === 1).join('');

/**
 * A coloured line as HTML. `marks` are ranges [start, end) of its text, in their order, that are to be marked; `wrap(name, text, html)`
 * may put something around a token, such as a link.
 */
export function renderLine(tokens, { marks = [], wrap = (name, text, html) => html } = {}) {
  let html = '';
  let place = 0;
  let isOpen = false;
  for (let index = 0; index < tokens.length; index += 2) {
    const [name, text] = [tokens[index], tokens[index + 1]];
    for (const { from, to, isMarked } of cutAtMarks(place, text.length, marks)) {
      if (isMarked !== isOpen) html += isMarked ? '<mark>' : '</mark>';
      isOpen = isMarked;
      const piece = text.slice(from, to);
      const escaped = escapeText(piece);
      html += wrap(name, piece, name === '' ? escaped : `<i class=${name}>${escaped}</i>`);
    }
    place += text.length;
  }
  return isOpen ? `${html}</mark>` : html;
}

// The pieces of a token that lies at `start`, each wholly inside or outside of a mark.
function cutAtMarks(start, length, marks) {
  if (marks.length === 0) return [{ from: 0, to: length, isMarked: false }];
  const edges = new Set([0, length]);
  for (const edge of marks.flat()) if (edge > start && edge < start + length) edges.add(edge - start);
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(1).map((to, index) => {
    const from = sorted[index];
    return { from, to, isMarked: marks.some(([first, end]) => first <= start + from && start + to <= end) };
  });
}
