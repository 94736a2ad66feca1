// Debian's Chromium without a window, and a site with a page of any text.
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const CLIENTS = process.env.CLIENTS;
const { chromium } = createRequire(`${CLIENTS}/`)('playwright-core');

export async function withBrowser(use) {
  mkdirSync(`${CLIENTS}/run`, { recursive: true });
  const profile = mkdtempSync(`${CLIENTS}/run/chromium-`);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM,
    headless: true,
    // The sandbox needs what a container or root does not give; the pages are our own.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    return await use(context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

// Serves one page; answers the site's origin.
export async function withSite(html, use) {
  const site = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(html);
  });
  await new Promise(ok => site.listen(0, '127.0.0.1', ok));
  try {
    return await use(`http://127.0.0.1:${site.address().port}`);
  } finally {
    site.closeAllConnections();
    site.close();
  }
}
