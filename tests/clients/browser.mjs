// Debian's Chromium without a window, a site with a page of any text, and pages that run code of a document.
import { mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { Speaker } from './speakers.mjs';
import { Inbox } from './soon.mjs';

const CLIENTS = process.env.CLIENTS;
const require = createRequire(`${CLIENTS}/`);
const { chromium } = require('playwright-core');

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

// Runs code in pages of Chromium: of a site that is not the server's, or at that address. It must make no error.
export async function withPages(use) {
  const html = '<!doctype html><title>A page of the tests</title><div id="root"></div>';
  const errors = [];
  await withBrowser(context => withSite(html, site => use(async (at = site) => {
    const tab = await CodePage.open(context, at);
    tab.page.on('pageerror', error => errors.push(error));
    return tab;
  })));
  if (errors.length > 0) throw errors[0];
}

// A page that runs code of others. What its sockets receive lies in its inbox, what its code calls in `calls`.
class CodePage extends Speaker {
  name = 'chromium';

  calls = new Inbox();

  // Everything that its sockets received, in order.
  frames = [];

  static async open(context, site) {
    const tab = new CodePage();
    tab.page = await context.newPage();
    tab.page.on('console', message => tab.calls.put({ name: `console.${message.type()}`, args: [message.text()] }));
    tab.page.on('websocket', socket => socket.on('framereceived', ({ payload }) => {
      tab.frames.push(JSON.parse(payload));
      tab.inbox.put(JSON.parse(payload));
    }));
    await tab.page.exposeFunction('called', (name, args) => tab.calls.put({ name, args }));
    await tab.page.addInitScript(() => {
      window.sockets = [];
      window.WebSocket = class extends WebSocket {
        constructor(...all) { super(...all); window.sockets.push(this); }
      };
    });
    await tab.page.goto(site);
    return tab;
  }

  // Waits until the code has a socket and it is open: most of the documents' code does not say.
  async opened() {
    await this.page.waitForFunction(() => window.sockets.some(socket => socket.readyState === WebSocket.OPEN));
  }

  // Functions that the code calls and the document leaves to its reader: they say that they were called.
  async leaves(...names) {
    for (const name of names) await this.run(`function ${name}(...args) { called('${name}', args); }`);
  }

  // The arguments of the next call of that function.
  async called(name, fits = () => true) {
    return (await this.calls.next(`a call of ${name}`, call => call.name === name && fits(...call.args))).args;
  }

  // As a script of the page: what it declares stays.
  run(code) { return this.page.addScriptTag({ content: code }); }

  // What that function answers in the page.
  ask(question, about) { return this.page.evaluate(question, about); }

  // Shows a component as React does.
  async render(jsx, component, properties) {
    const { code } = require('@babel/standalone')
      .transform(jsx, { presets: ['react'], plugins: ['transform-modules-commonjs'] });
    for (const file of ['react/umd/react.production.min.js', 'react-dom/umd/react-dom.production.min.js']) {
      await this.run(readFileSync(`${CLIENTS}/node_modules/${file}`, 'utf8'));
    }
    await this.run(`const exports = {}; const require = name => ({ react: React })[name];\n${code}
      const root = ReactDOM.createRoot(document.getElementById('root'));
      root.render(React.createElement(${component}, ${JSON.stringify(properties)}));`);
  }
}
