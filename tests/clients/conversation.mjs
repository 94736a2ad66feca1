// Python, wscat and a page in Chromium hold one conversation in one room, on two shards.
import assert from 'node:assert/strict';
import { withBrowser, withSite } from './browser.mjs';
import { Server } from './server.mjs';
import { run, soon } from './soon.mjs';
import { Page, python, wscat } from './speakers.mjs';

const settings = origin =>
  `[tusk]\nwelcome = true\nmessage_rate_limit = 0\nallowed_origins = ['${origin}']\n`;

// How many shards have connections, as the metrics count them.
async function inhabited(server) {
  const text = await (await fetch(`http://${server.address}/metrics`)).text();
  const figures = text.matchAll(/^lanecast_connections_open\{shard="(\d+)",.*\} [1-9]\d*$/gm);
  return new Set([...figures].map(([, shard]) => shard)).size;
}

// Opens connections until one lives on another shard than those that are open; the kernel deals them out.
async function elsewhere(server, open) {
  const before = await inhabited(server);
  for (;;) {
    const speaker = await open();
    await speaker.next('welcome');
    if (await inhabited(server) > before) return speaker;
    await speaker.close();
  }
}

async function meet(context, site, server) {
  const pia = python(server.url);
  await pia.next('welcome');
  const walt = await soon('wscat on the other shard', elsewhere(server, () => wscat(server.url)));
  const cleo = await soon('a page', Page.open(context, site, server.url));
  const speakers = { pia, walt, cleo };
  for (const [user, speaker] of Object.entries(speakers)) {
    await speaker.send({ type: 'auth', token: user });
    assert.equal((await speaker.next('auth_success')).user.id, user);
    await speaker.send({ type: 'join_room', room: 'salon' });
    await speaker.next('room_joined');
  }
  return speakers;
}

async function withSpeakers(use) {
  await withBrowser(context => withSite('<title>talk</title>', async site => {
    const server = await Server.start(settings(site));
    try {
      const speakers = await meet(context, site, server);
      await use(speakers, server);
      const closed = await speakers.cleo.close();
      assert.deepEqual(closed, { clean: true, code: 1000 });
      await Promise.all([speakers.pia.close(), speakers.walt.close()]);
      assert.equal(await server.stop(), 0);
    } finally {
      server.process.kill('SIGKILL');
    }
  }));
}

// Plain, not ASCII, marked up, and long enough to be compressed for those who negotiated it.
const TEXTS = ['good evening', 'schönen Abend, 晚上好 😀', '<b>bold</b> & "quoted"', 'again and '.repeat(60)];
const escaped = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  .replaceAll('"', '&quot;');

async function everybodyHearsEverybody(speakers) {
  const all = Object.entries(speakers);
  for (const [from, speaker] of all) {
    for (const text of TEXTS) await speaker.send({ type: 'broadcast', room: 'salon', message: text });
    for (const [at, listener] of all) {
      for (const text of TEXTS) {
        const heard = await listener.next('room_message');
        assert.deepEqual([heard.room, heard.from, heard.message], ['salon', from, escaped(text)], `at ${at}`);
      }
    }
  }
}

async function everybodyWritesToEverybody(speakers) {
  for (const [from, speaker] of Object.entries(speakers)) {
    for (const [to, listener] of Object.entries(speakers)) {
      await speaker.send({ type: 'private_message', to, message: `${from} to ${to}` });
      const got = await listener.next('private_message');
      assert.deepEqual([got.from, got.message], [from, `${from} to ${to}`]);
    }
  }
}

await run({
  async one_conversation_of_three_clients_on_two_shards() {
    await withSpeakers(async speakers => {
      await everybodyHearsEverybody(speakers);
      await everybodyWritesToEverybody(speakers);
      await everybodyHearsEverybody(speakers);
    });
  },

  async a_page_of_the_server_itself_may_connect() {
    const server = await Server.start('[tusk]\nwelcome = true');
    try {
      await withBrowser(async context => {
        const page = await Page.open(context, `http://127.0.0.1:${server.port}/`, server.url);
        await page.send({ type: 'ping' });
        await page.next('pong');
        await page.close();
      });
    } finally {
      server.process.kill('SIGKILL');
    }
  },

  async a_page_of_another_site_may_not() {
    const server = await Server.start('');
    try {
      await withBrowser(context => withSite('<title>stranger</title>', async site => {
        await assert.rejects(Page.open(context, site, server.url), /closed with 1006/);
      }));
    } finally {
      server.process.kill('SIGKILL');
    }
  },
});
