// The words of a mermaid source that a reader has to find in its picture, and those that a picture has.

/** The labels of a source, in their order: what stands in boxes, on arrows and in notes. */
export function labelsOf(source) {
  const [kind, ...lines] = source.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('%%'));
  const read = /^sequenceDiagram/.test(kind) ? readSequence : /^stateDiagram/.test(kind) ? readState : readFlowchart;
  return lines.flatMap(read).map((label) => label.trim()).filter(Boolean);
}

function readSequence(line) {
  const participant = /^(?:create )?(?:participant|actor)\s+(\S+)(?:\s+as\s+(.*))?$/.exec(line);
  if (participant) return [participant[2] ?? participant[1]];
  const block = /^(?:loop|alt|else|opt|par|and|critical|option|break)\b(.*)$/.exec(line);
  if (block) return [block[1]];
  const message = /^(?:Note\s+(?:over|left of|right of)\s+[^:]+|\S+?\s*(?:-->>|->>|-->|->|--x|-x|--\)|-\))\s*[-+]?\s*\S+?)\s*:(.*)$/i.exec(line);
  return message ? [message[1]] : [];
}

function readState(line) {
  const named = /^state\s+"([^"]*)"\s+as\b/.exec(line);
  if (named) return [named[1]];
  if (/^(?:direction|note|end|state)\b/.test(line)) return [];
  const label = /^[^:]+:(.*)$/.exec(line);
  return label ? [label[1]] : [];
}

function readFlowchart(line) {
  const quoted = [...line.matchAll(/"([^"]*)"/g)].map(([, text]) => text);
  const rest = line.replace(/"[^"]*"/g, '""');
  const onArrows = [...rest.matchAll(/\|(""|[^|"]+)\|/g)].map(([, text]) => text).filter((text) => text !== '""');
  if (/^(?:style|classDef|class|linkStyle|direction|end)\b/.test(rest)) return [];
  const named = /^subgraph\s+(.+)$/.exec(rest);
  if (named) return [...quoted, ...(/""/.test(named[1]) ? [] : [named[1].replace(/^\S+\s*\[(.*)\]$/, '$1')])];
  const inBoxes = [...rest.matchAll(/[\w-]+(?:\[\[|\[\(|\(\[|\(\(|\{\{|\[|\(|\{)([^"[\](){}|]+)[\])}]/g)].map(([, text]) => text);
  const inLine = [...rest.matchAll(/(?<![-=.<])(?:--|==|-\.)\s+([^"\s>|][^">|]*?)\s+(?:-->|---|==>|\.->|\.-)/g)].map(([, text]) => text);
  return [...quoted, ...onArrows, ...inBoxes, ...inLine];
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ', '#39': "'" };
const squeeze = (text) => text.replace(/<br\s*\/?>/gi, ' ').replace(/&(#?\w+);/g, (whole, name) => entities[name] ?? whole).replace(/#(quot|amp|lt|gt);/g, (whole, name) => entities[name]).replace(/[\s"\u00a0\u200b]+/g, '');

/** The text of an SVG, without any blanks: a picture breaks its lines where it likes. */
export function textOfSvg(svg) {
  return squeeze(svg.replace(/<(style|defs|title|desc)\b[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ''));
}

/** The labels that the source has and the picture has not, or not as often. */
export function findMissing(source, svg) {
  const text = textOfSvg(svg);
  const wanted = new Map();
  for (const label of labelsOf(source)) wanted.set(squeeze(label), { label, count: (wanted.get(squeeze(label))?.count ?? 0) + 1 });
  return [...wanted].filter(([words, { count }]) => words !== '' && text.split(words).length - 1 < count).map(([, { label }]) => label);
}
