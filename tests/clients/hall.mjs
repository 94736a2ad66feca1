// Five clients of five dialects in one room of a shared realm, on one listener: each says something, and hears every
// other in its own words.
import assert from 'node:assert/strict';
import { withBrowser, withSite } from './browser.mjs';
import { Server } from './server.mjs';
import { run } from './soon.mjs';
import { Page, Socket, python, wscat } from './speakers.mjs';

const settings = site => ['sge', 'nexus', 'gator', 'aegisx', 'tusk']
  .map(dialect => `[${dialect}]\nrealm = 'hall'\n${dialect === 'tusk' ? `allowed_origins = ['${site}']\n` : ''}`).join('');

// How a dialect comes in, says something in the room, and shows who said what.
const DIALECTS = {
  sge: {
    open: (server, context, site) => Page.open(context, site, `ws://${server.address}/ws/connect?token=sge`),
    join: { type: 'Subscribe', channel: 'group:plaza' },
    joined: 'Subscribed',
    say: text => ({
      type: 'ChatMessage',
      message: { from: 'sge', to: 'plaza', message: text, timestamp: Date.now(), message_type: 'groupchat' },
    }),
    said: 'ChatMessage',
    shows: m => [m.message.to, m.message.from, m.message.message],
  },
  nexus: {
    open: server => python(`ws://${server.address}/ws?user_id=nexus`),
    join: { event_type: 'room.join', room_id: 'plaza' },
    joined: 'room.join',
    say: text => ({ event_type: 'chat.message', conversation_id: 'plaza', content: text }),
    said: 'chat.message',
    shows: m => [m.conversation_id, m.sender_id, m.content],
  },
  gator: {
    open: async server => {
      const client = wscat(`ws://${server.address}/ws/gator`);
      // What is said before it is connected wscat forgets.
      await client.next('online_users');
      return client;
    },
    join: { type: 'join_conversation', conversation_id: 'plaza' },
    joined: 'conversation_joined',
    say: text => ({ type: 'send_message', conversation_id: 'plaza', content: text }),
    said: 'new_message',
    shows: m => [m.conversation_id, m.message.sender_id, m.message.content],
  },
  aegisx: {
    open: server => Socket.open(`ws://${server.address}/ws?token=aegisx`),
    join: { type: 'join_channel', data: { channel: 'public:plaza' } },
    joined: 'channel_joined',
    say: text => ({ type: 'send_message', data: { channel: 'public:plaza', message: text } }),
    said: 'channel_message',
    shows: m => [m.data.channel.replace('public:', ''), m.data.sender.id, m.data.message],
  },
  tusk: {
    open: async (server, context, site) => {
      const page = await Page.open(context, site, server.url);
      await page.send({ type: 'auth', token: 'tusk' });
      await page.next('auth_success');
      return page;
    },
    join: { type: 'join_room', room: 'plaza' },
    joined: 'room_joined',
    say: text => ({ type: 'broadcast', room: 'plaza', message: text }),
    said: 'room_message',
    shows: m => [m.room, m.from, m.message],
  },
};

async function meet(server, context, site) {
  const all = [];
  for (const [user, dialect] of Object.entries(DIALECTS)) {
    const speaker = await dialect.open(server, context, site);
    await speaker.send(dialect.join);
    await speaker.next(dialect.joined);
    all.push({ user, dialect, speaker });
  }
  return all;
}

async function everybodyIsHeard(all) {
  for (const { user, dialect, speaker } of all) {
    const texts = [`hello from ${user}`, 'schönen Abend, 晚上好 😀'];
    for (const text of texts) await speaker.send(dialect.say(text));
    // AegisX does not tell a sender what it said.
    for (const listener of all.filter(l => l.user !== user || user !== 'aegisx')) {
      for (const text of texts) {
        const heard = await listener.speaker.next(listener.dialect.said);
        assert.deepEqual(listener.dialect.shows(heard), ['plaza', user, text], `at ${listener.user}`);
      }
    }
  }
}

await run({
  one_room_speaks_all_five_dialects: () => withBrowser(context => withSite('<title>hall</title>', site =>
    Server.with(settings(site), '', async server => {
      const all = await meet(server, context, site);
      // Twice: what somebody heard doubled, or heard of itself in AegisX, is out of place in the second round.
      await everybodyIsHeard(all);
      await everybodyIsHeard(all);
      await Promise.all(all.map(({ speaker }) => speaker.close()));
    }))),
});
