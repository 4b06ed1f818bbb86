// What the tests of the book share: the built book, a browser, and a page that is watched for faults.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startBrowser } from '../lib/browser.mjs';
import { serveFolder } from '../lib/server.mjs';

export const root = resolve(fileURLToPath(import.meta.url), '../../../..');
export const site = process.env.BOOK ?? join(root, 'build/book/site');

/** The paths of all files below a folder. */
export function listFiles(folder, prefix = '') {
  return readdirSync(join(folder, prefix)).sort().flatMap((name) => {
    const path = `${prefix}${name}`;
    return statSync(join(folder, path)).isDirectory() ? listFiles(folder, `${path}/`) : [path];
  });
}

export const readPage = (path) => readFileSync(join(site, path), 'utf8');

/** A folder of its own for a test, which is gone when the test ends. */
export function makeFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'book-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** {server, browser}: of the built book, or of another folder; both are ended by close(). */
export async function openBook(folder = site) {
  const server = await serveFolder(folder);
  const browser = await startBrowser(chromium);
  return {
    address: server.address,
    browser,
    /** A page in a context of its own, which notes all that goes wrong in `faults`. */
    async open(path, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      const page = await context.newPage();
      const faults = watchPage(page, server.address);
      if (path !== undefined) await page.goto(server.address + path);
      return { page, context, faults };
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Notes what no page of the book may do: an error in the console, a request that fails, a request to another address. */
export function watchPage(page, address) {
  const faults = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(`${page.url()}: in the console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on('requestfailed', (request) => !/ERR_ABORTED/.test(request.failure()?.errorText ?? '') && faults.push(`${page.url()}: the request for ${request.url()} failed`));
  page.on('response', (response) => response.status() >= 400 && faults.push(`${page.url()}: ${response.url()} is ${response.status()}`));
  page.on('request', (request) => !request.url().startsWith(address) && !/^(data|blob):/.test(request.url()) && faults.push(`${page.url()}: a request to ${request.url()}`));
  return faults;
}
