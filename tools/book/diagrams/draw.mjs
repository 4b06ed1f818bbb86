// Draws each mermaid fence of the texts as an SVG that takes its colours from the page in which it stands.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Problem } from '../../docs/lib/problem.mjs';
import { Project } from '../../docs/lib/project.mjs';
import { startBrowser } from '../lib/browser.mjs';
import { findMissing } from '../lib/picture-labels.mjs';
import { pathOfPicture } from '../lib/pictures.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../../..');

// Colours that mermaid is given, each of which stands for one of the page's: the name of its variable, and what it is without a page.
const roles = {
  '#eef401': ['box', '#eef3f6'],
  '#eef402': ['group', '#f7f9fa'],
  '#204003': ['edge', '#8fa3ad'],
  '#204004': ['line', '#5a6b74'],
  '#101005': ['ink', '#1c2a31'],
  '#fdf406': ['note', '#fbf4dc'],
  '#c0a007': ['note-edge', '#d3bf7a'],
  '#fefe08': ['paper', '#ffffff'],
};

// What mermaid writes into attributes, whatever colours it is given.
const ownColours = { '#eaeaea': 'box', '#EDF2AE': 'note', '#666': 'edge', '#999': 'edge', '#000000': 'line' };
const [box, group, edge, line, ink, note, noteEdge, paper] = Object.keys(roles);

const theme = {
  fontFamily: 'BookSans, sans-serif', fontSize: '15px',
  background: paper, primaryColor: box, primaryTextColor: ink, primaryBorderColor: edge, secondaryColor: group, secondaryTextColor: ink, secondaryBorderColor: edge,
  tertiaryColor: group, tertiaryTextColor: ink, tertiaryBorderColor: edge, lineColor: line, textColor: ink, mainBkg: box, nodeBorder: edge, nodeTextColor: ink, clusterBkg: group, clusterBorder: edge,
  titleColor: ink, edgeLabelBackground: paper, defaultLinkColor: line, arrowheadColor: line,
  actorBkg: box, actorBorder: edge, actorTextColor: ink, actorLineColor: edge, signalColor: line, signalTextColor: ink, labelBoxBkgColor: group, labelBoxBorderColor: edge, labelTextColor: ink, loopTextColor: ink,
  noteBkgColor: note, noteBorderColor: noteEdge, noteTextColor: ink, activationBkgColor: group, activationBorderColor: edge, sequenceNumberColor: ink,
  transitionColor: line, transitionLabelColor: ink, stateLabelColor: ink, stateBkg: box, labelBackgroundColor: paper, compositeBackground: group, compositeTitleBackground: box, altBackground: group, specialStateColor: line, innerEndBackground: line, labelColor: ink,
};

const settings = {
  startOnLoad: false, securityLevel: 'strict', theme: 'base', themeVariables: theme, htmlLabels: false, deterministicIds: true, deterministicIDSeed: 'picture', fontFamily: theme.fontFamily,
  flowchart: { htmlLabels: false, useMaxWidth: false, nodeSpacing: 36, rankSpacing: 44, padding: 10, wrappingWidth: 240, subGraphTitleMargin: { top: 2, bottom: 6 } },
  sequence: { useMaxWidth: false, mirrorActors: false, width: 120, height: 40, actorMargin: 40, messageMargin: 30, noteMargin: 8, boxMargin: 8, wrap: false },
  state: { useMaxWidth: false },
};

async function main(words) {
  if (words.some((word) => word !== '--all')) throw new Problem('usage: tools/book/draw [--all]');
  const project = new Project(root);
  const fences = project.documentPaths.flatMap((path) => {
    const document = project.readDocument(path);
    return document.fences.filter(({ language }) => language === 'mermaid').map((fence) => ({ path, line: fence.open + 1, source: `${document.fenceContent(fence).join('\n')}\n` }));
  });
  const wanted = fences.filter(({ source }) => words.includes('--all') || !project.isFile(pathOfPicture(source)));
  mkdirSync(join(root, 'docs/diagrams'), { recursive: true });
  if (wanted.length > 0) await drawAll(wanted);
  const kept = new Set(fences.map(({ source }) => basename(pathOfPicture(source))));
  const stale = readdirSync(join(root, 'docs/diagrams')).filter((name) => name.endsWith('.svg') && !kept.has(name));
  for (const name of stale) rmSync(join(root, 'docs/diagrams', name));
  console.log(`${fences.length} pictures: ${wanted.length} drawn, ${stale.length} removed`);
}

async function drawAll(wanted) {
  const browser = await startBrowser(chromium);
  try {
    const page = await browser.newPage();
    const font = readFileSync(join(here, '../node_modules/@fontsource-variable/source-sans-3/files/source-sans-3-latin-wght-normal.woff2')).toString('base64');
    await page.setContent(`<style>@font-face{font-family:BookSans;font-weight:200 900;src:url(data:font/woff2;base64,${font})}body{font-family:BookSans}</style><p>a <b>b</b></p><div id=place></div>`);
    await page.evaluate(() => document.fonts.ready);
    await page.addScriptTag({ path: join(here, 'node_modules/mermaid/dist/mermaid.min.js') });
    await page.evaluate((options) => globalThis.mermaid.initialize(options), settings);
    for (const { path, line: number, source } of wanted) {
      const place = pathOfPicture(source);
      const id = `p${basename(place, '.svg')}`;
      let drawn = await page.evaluate(drawOne, { source, id });
      const redraw = (flowchart) => page.evaluate(drawOne, { source: `%%{init: ${JSON.stringify({ flowchart })}}%%\n${source}`, id });
      // Mermaid cannot break a line that has <br/> in it: then such lines must have room.
      const room = drawn.error?.includes('splitLineToFitWidth') ? { wrappingWidth: 600 } : {};
      if (room.wrappingWidth) drawn = await redraw(room);
      // Nor does it leave room for the title of a group that is longer than a line.
      if (drawn.titleRows > 1) {
        const bottom = 18 * (drawn.titleRows - 1) + 6;
        drawn = await redraw({ ...room, subGraphTitleMargin: { top: 2, bottom }, nodeSpacing: settings.flowchart.nodeSpacing + 1.5 * bottom });
      }
      if (drawn.error) throw new Problem(`${path}:${number}: mermaid cannot draw this: ${drawn.error}`);
      const svg = finish(drawn.svg);
      const missing = findMissing(source, svg);
      if (missing.length > 0) throw new Problem(`${path}:${number}: the drawing lacks "${missing.join('", "')}"; write the label in another way`);
      writeFileSync(join(root, place), svg);
    }
  } finally {
    await browser.close();
  }
}

// Runs in the page. Of mermaid's style only the rules that something in the picture needs are kept.
async function drawOne({ source, id }) {
  const place = document.querySelector('#place');
  try {
    const { svg } = await globalThis.mermaid.render(id, source);
    place.innerHTML = svg;
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
  const picture = place.querySelector('svg');
  const style = picture.querySelector('style');
  const rules = [...style.sheet.cssRules].filter((rule) => rule.selectorText && picture.parentElement.querySelector(rule.selectorText.replace(/::?(before|after|hover)/g, '')));
  style.textContent = rules.map(({ cssText }) => cssText).join('\n');
  const used = new Set([...picture.outerHTML.matchAll(/url\(#([^)]+)\)/g)].map(([, name]) => name));
  for (const marker of picture.querySelectorAll('marker')) if (!used.has(marker.id)) marker.remove();
  for (const symbol of picture.querySelectorAll('symbol, defs filter, linearGradient')) if (!picture.outerHTML.includes(`#${symbol.id}"`) && !picture.outerHTML.includes(`#${symbol.id})`)) symbol.remove();
  for (const group of [...picture.querySelectorAll('g, defs')].reverse()) if (group.childElementCount === 0 && group.textContent.trim() === '') group.remove();
  // The title of a group is one line where the group is as wide.
  let titleRows = 1;
  for (const title of picture.querySelectorAll('.cluster-label')) {
    const rows = [...title.querySelectorAll('.text-outer-tspan')];
    if (rows.length < 2) continue;
    const frame = title.parentElement.querySelector('rect').getBBox();
    const whole = rows[0].cloneNode(true);
    whole.textContent = rows.map((row) => row.textContent.trim()).join(' ');
    rows[0].replaceWith(whole);
    rows.slice(1).forEach((row) => row.remove());
    const width = whole.getComputedTextLength();
    if (width <= frame.width - 12) title.setAttribute('transform', `translate(${frame.x + (frame.width - width) / 2}, ${frame.y + 2})`);
    else {
      whole.replaceWith(...rows);
      titleRows = Math.max(titleRows, rows.length);
    }
  }
  // A note over two lifelines is only as wide as their distance, whatever it says.
  for (const note of picture.querySelectorAll('rect.note')) {
    const words = [...note.parentElement.querySelectorAll('.noteText')].map((text) => text.getBBox());
    const [left, right] = [Math.min(...words.map(({ x }) => x)) - 8, Math.max(...words.map(({ x, width }) => x + width)) + 8];
    const box = note.getBBox();
    if (left >= box.x && right <= box.x + box.width) continue;
    note.setAttribute('x', Math.min(left, box.x));
    note.setAttribute('width', Math.max(right, box.x + box.width) - Math.min(left, box.x));
  }
  // A line of words is one piece, and a box with round ends is a rectangle: mermaid makes hundreds of little strokes of it.
  for (const row of picture.querySelectorAll('.text-outer-tspan')) row.textContent = row.textContent;
  for (const shape of picture.querySelectorAll('.node g.label-container')) {
    if ([...shape.querySelectorAll('path')].every((path) => path.getAttribute('d').length < 1500)) continue;
    const { x, y, width, height } = shape.getBBox();
    const rectangle = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [name, value] of Object.entries({ x, y, width, height, rx: height / 2 })) rectangle.setAttribute(name, value);
    shape.replaceWith(rectangle);
  }
  const { width, height } = picture.viewBox.baseVal;
  picture.setAttribute('width', Math.ceil(width));
  picture.setAttribute('height', Math.ceil(height));
  for (const name of ['style', 'class', 'aria-roledescription', 'role']) picture.removeAttribute(name);
  const text = new XMLSerializer().serializeToString(picture);
  place.replaceChildren();
  return { svg: text, titleRows };
}

// The colours become the page's, numbers get one place, and what only mermaid's own scripts need goes.
function finish(svg) {
  let text = svg
    .replace(/ (?:data-[\w-]+|alignment-baseline|xmlns:xlink|dominant-baseline-x|class="node-placeholder")="[^"]*"/g, '')
    .replace(/<[^>]*>/g, (tag) => tag.replace(/-?\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1)))))
    .replace(/style="[;\s]*"/g, '');
  for (const [colour, [name, fallback]] of Object.entries(roles)) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    text = text.replaceAll(`rgb(${r}, ${g}, ${b})`, colour).replace(new RegExp(`(fill|stroke)="${colour}"`, 'gi'), `$1="var(--picture-${name}, ${fallback})"`).replace(new RegExp(colour, 'gi'), `var(--picture-${name}, ${fallback})`);
  }
  for (const [colour, name] of Object.entries(ownColours)) {
    const fallback = Object.values(roles).find(([other]) => other === name)[1];
    text = text.replace(new RegExp(`(fill|stroke)="${colour}"`, 'g'), `$1="var(--picture-${name}, ${fallback})"`);
  }
  return `${text.trim()}\n`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  console.error(`draw: ${error.message}`);
  process.exitCode = 1;
}
