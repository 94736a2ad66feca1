// The document's own reconnecting client, in a page, lives through restarts of the server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { withBrowser, withSite } from './browser.mjs';
import { Server } from './server.mjs';
import { Inbox, run } from './soon.mjs';

const HTML = readFileSync(new URL('reconnecting_client.html', import.meta.url), 'utf8');

// Everything that the page's sockets receive and how they end, as the browser sees it.
function watch(page) {
  const inbox = new Inbox();
  page.on('console', message => inbox.put({ type: 'console', text: message.text() }));
  page.on('websocket', socket => {
    socket.on('framereceived', ({ payload }) => inbox.put(JSON.parse(payload)));
    socket.on('close', () => inbox.put({ type: 'closed' }));
  });
  return inbox;
}

async function connected(inbox) {
  await inbox.next('Connected', m => m.type === 'console' && m.text === 'Connected');
  await inbox.next('a pong', m => m.type === 'pong');
}

// Between the end of one server and the start of the next the client's first attempts find nobody.
async function survives(signal, code) {
  await withBrowser(context => withSite(HTML, async site => {
    const settings = `[tusk]\nallowed_origins = ['${site}']`;
    let server = await Server.start(settings);
    try {
      const page = await context.newPage();
      const inbox = watch(page);
      await page.goto(site);
      await page.evaluate(url => { window.client = new WebSocketClient(url); }, server.url);
      await connected(inbox);
      for (let restart = 0; restart < 2; restart += 1) {
        assert.equal(await server.stop(signal), code);
        await inbox.next('the end of the connection', m => m.type === 'closed');
        server = await Server.start(settings, server.port);
        await connected(inbox);
      }
      assert.equal(await page.evaluate(() => window.client.reconnectAttempts), 0);
      await page.evaluate(() => window.client.send({ type: 'join_room', room: 'hall' }));
      await inbox.next('room_joined', m => m.type === 'room_joined');
    } finally {
      server.process.kill('SIGKILL');
    }
  }));
}

await run({
  the_documents_client_survives_a_drained_restart: () => survives('SIGTERM', 0),
  the_documents_client_survives_a_killed_server: () => survives('SIGKILL', null),
});
