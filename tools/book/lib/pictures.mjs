// The pictures of the texts: those that mermaid has drawn from a fence, and those that show measurements.

import { createHash } from 'node:crypto';
import { Problem } from '../../docs/lib/problem.mjs';
import { escapeHtml } from '../view/html.mjs';
import { findMissing, labelsOf } from './picture-labels.mjs';
import { linkBetween } from './site.mjs';

/** Where the picture of a mermaid fence lies, by its text. */
export function pathOfPicture(source) {
  return `docs/diagrams/${createHash('sha256').update(source.trim()).digest('hex').slice(0, 12)}.svg`;
}

const leastScale = 0.66;

export class Pictures {
  /** `readText(path)` reads a file by its path from the root; `isFile(path)` says whether it is there. */
  constructor({ readText, isFile }) {
    this.readText = readText;
    this.isFile = isFile;
  }

  /** A fence's picture in the page, with its source as the text for those who do not see it. */
  render(source, { path }) {
    const place = pathOfPicture(source);
    const opening = source.trim().split('\n').slice(0, 2).join(' ').replace(/\s+/g, ' ');
    if (!this.isFile(place)) throw new Problem(`${path}: the picture that begins "${opening}" is not drawn yet (${place}); run tools/book/draw`);
    const svg = this.readText(place);
    const missing = findMissing(source, svg);
    if (missing.length > 0) throw new Problem(`${path}: the picture ${place} lacks "${missing.join('", "')}", which its source has; draw it anew with tools/book/draw --all`);
    const label = labelsOf(source).map((text) => text.replace(/<br\s*\/?>/g, ', ')).join('; ');
    // As wide as it was drawn, or as there is room; but never so small that its words cannot be read.
    const width = Number(/ width="(\d+)"/.exec(svg)?.[1] ?? 600);
    const labelled = svg.trim().replace(/^<svg /, `<svg role="img" aria-label="${escapeHtml(label)}" style="width:clamp(${Math.round(width * leastScale)}px,100%,${width}px)" `);
    return `<figure class=picture><div class=canvas tabindex=0 role=group aria-label="picture">${labelled}</div><details class=behind><summary>The picture as text</summary><pre tabindex=0><code>${escapeHtml(source)}</code></pre></details></figure>\n`;
  }
}

export class Plots {
  constructor({ readText, isFile, addFile }) {
    Object.assign(this, { readText, isFile, addFile });
  }

  /** A picture that the text shows as an image. What it was drawn from is below it, in words and as a file. */
  render(path, words, page) {
    if (!this.isFile(path)) throw new Problem(`${page.path}: there is no picture ${path}; correct the link, or run tools/docs/docs sync`);
    if (!path.endsWith('.svg')) return `<img src="${escapeHtml(linkBetween(page.url, this.addFile(path)))}" alt="${escapeHtml(words)}" loading=lazy>`;
    const svg = this.readText(path).trim();
    const [, recording, frame] = /^docs\/replay\/(.+)-(\d+)(?:-boxes)?\.svg$/.exec(path) ?? [];
    if (recording) {
      // The picture's own colours go by the system; the book's go by the reader's choice, and it has them from the page.
      return `</p><figure class=plot><div class=canvas tabindex=0 role=group aria-label="picture">${svg.replace(/<style>.*?<\/style>/s, '')}</div>`
        + `<figcaption><a href="${linkBetween(page.url, `replay/${recording}.html`)}#frame-${frame}">Frame ${frame}, and those around it</a></figcaption></figure><p>`;
    }
    const description = /<desc[^>]*>([\s\S]*?)<\/desc>/.exec(svg)?.[1] ?? escapeHtml(words);
    const data = linkBetween(page.url, this.addFile('docs/measurements/results.json'));
    const figures = description.split(/(?<=\.)\s+(?=[A-Z0-9])/).map((sentence) => `<p>${sentence}</p>`).join('');
    return `</p><figure class=plot><div class=canvas tabindex=0 role=group aria-label="picture">${svg}</div>`
      + `<details class=behind><summary>The figures behind the picture</summary>${figures}<p>All of them, as measured: <a href="${data}">results.json</a></p></details></figure><p>`;
  }
}
