// Starts Debian's Chromium for what needs a real browser: drawing pictures and testing the book.

import { existsSync } from 'node:fs';
import { Problem } from '../../docs/lib/problem.mjs';

const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

// A page of ours needs nothing of what a browser does besides.
const switches = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--force-color-profile=srgb', '--font-render-hinting=none'];

/** A browser with a fresh profile; the caller closes it. `chromium` is playwright-core's. */
export async function startBrowser(chromium) {
  const path = places.find((place) => place && existsSync(place));
  if (!path) throw new Problem('this needs Chromium: apt-get install chromium, or name one in CHROMIUM');
  return chromium.launch({ executablePath: path, args: switches });
}
