// Serves the built book on this machine alone.

import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * Serves `folder` on 127.0.0.1; port 0 is any free one. Resolves to {address, close} when it listens: address as http://127.0.0.1:PORT/.
 * The caller closes it. Rejects with the system's error where the port cannot be had.
 */
export function serveFolder(folder, port = 0) {
  const server = createServer((request, response) => answer(folder, request, response));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve({
      address: `http://127.0.0.1:${server.address().port}/`,
      close: () => new Promise((done) => {
        server.close(done);
        server.closeAllConnections?.();
      }),
    }));
  });
}

function answer(folder, request, response) {
  if (!['GET', 'HEAD'].includes(request.method)) return refuse(response, 405, 'only GET and HEAD');
  const file = findFile(folder, request.url);
  if (!file) return refuse(response, 404, 'there is no such page');
  response.writeHead(200, { 'content-type': types[extname(file.path)] ?? 'application/octet-stream', 'content-length': file.size, 'cache-control': 'no-cache' });
  if (request.method === 'HEAD') return response.end();
  return createReadStream(file.path).on('error', () => response.destroy()).pipe(response);
}

// A folder's page is its index.html; the .html of a page may be left out, as on a code host.
function findFile(folder, url) {
  let path;
  try {
    path = decodeURIComponent(new URL(url, 'http://127.0.0.1').pathname);
  } catch {
    return undefined;
  }
  if (path.includes('\0') || path.split('/').some((part) => part.startsWith('.'))) return undefined;
  const place = join(folder, normalize(path));
  for (const candidate of path.endsWith('/') ? [join(place, 'index.html')] : [place, `${place}.html`]) {
    const info = statSync(candidate, { throwIfNoEntry: false });
    if (info?.isFile()) return { path: candidate, size: info.size };
  }
  return undefined;
}

function refuse(response, status, words) {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${words}\n`);
}
