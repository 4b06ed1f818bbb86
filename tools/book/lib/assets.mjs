// The files that all pages share: stylesheet, scripts, fonts and the icon.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { vueFiles } from './vue-files.mjs';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const fonts = {
  'serif.woff2': 'source-serif-4/files/source-serif-4-latin-wght-normal.woff2',
  'serif-italic.woff2': 'source-serif-4/files/source-serif-4-latin-wght-italic.woff2',
  'sans.woff2': 'source-sans-3/files/source-sans-3-latin-wght-normal.woff2',
  'mono.woff2': 'jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2',
};

/** {path, content} of each of them. */
export async function makeAssets(root, book) {
  const scripts = await bundle(root, book.hasPlayer && book.replays.length > 0);
  const own = ['icon.svg'].map((name) => ({ path: `assets/${name}`, content: readFileSync(join(here, 'theme', name)) }));
  const letters = Object.entries(fonts).map(([name, path]) => ({ path: `assets/${name}`, content: readFileSync(join(here, 'node_modules/@fontsource-variable', path)) }));
  const style = await build({ entryPoints: [join(here, 'theme/book.css')], bundle: true, minify: true, write: false, logLevel: 'silent', external: ['*.woff2'] });
  return [...scripts, ...own, ...letters, { path: 'assets/book.css', content: style.outputFiles[0].text }];
}

async function bundle(root, withPlayer) {
  const names = ['book', 'search', 'compare', 'progress', ...(withPlayer ? ['replay'] : [])];
  const result = await build({
    entryPoints: names.map((name) => join(here, `theme/${name}.js`)),
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    outdir: join(root, 'assets'),
    logLevel: 'silent',
    nodePaths: [join(here, 'node_modules')],
    define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
    plugins: [vueFiles(root)],
  });
  return result.outputFiles.map(({ path, contents }) => ({ path: `assets/${path.split('/').at(-1)}`, content: Buffer.from(contents) }));
}
