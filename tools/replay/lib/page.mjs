// A page of its own with all frames of one recording or two: what a reader sees without scripts.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { escape, renderFrames } from '../player/static.mjs';

const style = join(dirname(fileURLToPath(import.meta.url)), '../player/replay.css');

/** The page as text. `titles` are the chapters' names. */
export function printPage(recordings, titles) {
  const title = `${titles.join(' and ')}: ${recordings[0].title}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>
body { font-family: sans-serif; margin: 16px; }
@media (prefers-color-scheme: dark) { .replay { --vp-c-text-1: #dfdfd6; --vp-c-text-2: #98989f; --vp-c-divider: #2e2e32; --vp-c-bg-soft: #202127; --vp-c-brand-1: #a8b1ff;
  --vp-c-brand-soft: #2a2f4d; --vp-c-success-soft: #1c3a2a; --vp-c-warning-soft: #43371a; } body { background: #1b1b1f; color: #dfdfd6; } }
${readFileSync(style, 'utf8')}</style>
<h1>${escape(title)}</h1>
<div class="replay${recordings.length > 1 ? ' replay-two' : ''}">
${renderFrames(recordings, titles).replaceAll(' v-pre', '')}
</div>
</html>
`;
}
