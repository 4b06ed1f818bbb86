// Turns what Plot has drawn into an SVG file that stands alone: readable on light and dark pages, by screen
// readers, and the same to the byte from the same figures.

// For text and lines on a light page, and what each becomes on a dark one. The blue and the orange are told
// apart by those who cannot tell red from green.
export const colours = { less: '#0b62a8', more: '#b84a00', none: 'currentColor' };
const onDark = { '#0b62a8': '#6cb6ff', '#b84a00': '#ffa657' };

const font = 'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif';

export function finishSvg(drawing, name, title, description) {
  const [, attributes, body] = /^<svg([^>]*)>([\s\S]*)<\/svg>$/.exec(drawing) ?? [];
  if (body === undefined) throw new Error('Plot has drawn something else than one <svg>');
  const [, width] = / width="(\d+)"/.exec(attributes);
  const [, height] = / height="(\d+)"/.exec(attributes);
  const id = `figure-${name}`;
  const style = [
    `.${id}{color:#1f2328;${font}}`,
    `@media (prefers-color-scheme:dark){.${id}{color:#e6edf3}${Object.entries(onDark).map(([light, dark]) => `.${id} [fill="${light}"]{fill:${dark}}.${id} [stroke="${light}"]{stroke:${dark}}`).join('')}}`,
  ].join('');
  const head = `<svg xmlns="http://www.w3.org/2000/svg" class="${id}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" fill="currentColor" font-size="13" text-anchor="middle" role="img" aria-labelledby="${id}-title ${id}-desc">`;
  const parts = [head, `<title id="${id}-title">${escapeXml(title)}</title>`, `<desc id="${id}-desc">${escapeXml(description)}</desc>`, `<style>${style}</style>`, ...tidy(body), '</svg>'];
  return `${parts.join('\n')}\n`;
}

// Plot's own style is for a page, its numbers have fifteen places, and its labels for screen readers name
// marks that `desc` describes better.
export function tidy(body) {
  const plain = body
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/ (?:aria-(?:label|description|hidden)|class)="[^"]*"/g, '')
    .replace(/ (?!\S*opacity)[\w-]+="[^"]*"/g, (attribute) => attribute.replace(/-?\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1)))))
    .replace(/ transform="translate\(0,\s*0\)"/g, '');
  return joinShapes(plain)
    .replace(/<g[^>]*><\/g>/g, '')
    .replace(/><(?!\/)/g, '>\n<')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

// Many bars, lines or dots of one kind are one path: a third of the bytes.
function joinShapes(body) {
  return body
    .replace(/(?:<line [^>]*?(?:\/>|><\/line>)){2,}/g, (run) => joinRun(run, ({ x1, x2, y1, y2, ...others }) => isEmpty(others) && `M${x1} ${y1}${x1 === x2 ? `V${y2}` : `H${x2}`}`))
    .replace(/(?:<rect [^>]*?(?:\/>|><\/rect>)){2,}/g, (run) => joinRun(run, ({ x, y, width, height, ...others }) => isEmpty(others) && `M${x} ${y}h${width}v${height}h-${width}z`))
    .replace(/<g((?: [\w-]+="[^"]*")*)>((?:<circle [^>]*?(?:\/>|><\/circle>))+)<\/g>/g, (group, attributes, run) => joinDots(group, attributes, run));
}

// A dot is a line of no length with round ends.
function joinDots(group, attributes, run) {
  const radii = new Set([...run.matchAll(/ r="([^"]*)"/g)].map(([, radius]) => radius));
  if (radii.size !== 1) return group;
  const [radius] = radii;
  const colour = attributes.includes(' fill="') ? '' : ' stroke="currentColor"'; // as all that has none of its own
  const asStroke = attributes.replace(/ fill(-opacity)?="/g, ' stroke$1="') + colour;
  return `<g${asStroke} fill="none" stroke-width="${2 * radius}" stroke-linecap="round">${joinRun(run, ({ cx, cy, r, ...others }) => isEmpty(others) && `M${cx} ${cy}h0`)}</g>`;
}

function joinRun(run, makePath) {
  const paths = run.match(/<[a-z][^>]*>/g).map((tag) => makePath(Object.fromEntries([...tag.matchAll(/ ([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))));
  return paths.every((path) => path) ? `<path d="${paths.join('')}"/>` : run;
}

function isEmpty(object) {
  return Object.keys(object).length === 0;
}

function escapeXml(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
