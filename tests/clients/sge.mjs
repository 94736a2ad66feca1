// The code of the SGE document runs as it stands there: in pages, and over HTTP.
import assert from 'node:assert/strict';
import { withPages } from './browser.mjs';
import { snippet } from './document.mjs';
import { SECRET_SETTING, Server, token } from './server.mjs';
import { run } from './soon.mjs';
import { Socket } from './speakers.mjs';

const REQUIRED = `[auth]\nmode = 'required'\n${SECRET_SETTING}`;

// A peer with a token; what it must have heard is asked of it.
const peer = (server, user) => Socket.open(`ws://${server.address}/ws/connect?token=${token(user)}`);

async function notify(server, user, level) {
  const answer = await fetch(`http://${server.address}/ws/notify/${user}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token('mailer', '--permission', 'publish')}` },
    body: JSON.stringify({ title: 'News', message: 'of the day', level }),
  });
  assert.equal(answer.status, 200);
}

// A request as the document writes it, sent and answered.
async function ask(server, heading, bearer) {
  const [head, body] = snippet('sge', heading, server).split('\n\n');
  const [first, ...lines] = head.trim().split('\n');
  const [method, path] = first.split(' ');
  const headers = Object.fromEntries(lines.map(line => line.replace('<token>', bearer).split(': ')));
  const answer = await fetch(`http://${server.address}${path}`, { method, headers, body });
  return { status: answer.status, body: await answer.json() };
}

async function chatApplication(server, open) {
  const tab = await open();
  const witness = await peer(server, 'user456');
  // The document gives neither `getToken` nor the four methods that show things.
  await tab.run(`const getToken = () => '${token('user123')}';`);
  await tab.run(snippet('sge', 'Complete Chat Application', server));
  await tab.ask(() => {
    for (const name of ['displayMessage', 'updateUserPresence', 'showNotification', 'showTypingIndicator']) {
      ChatClient.prototype[name] = (...args) => called(name, args);
    }
    window.client = new ChatClient('user123');
  });
  await tab.next('Subscribed', m => m.channel === 'chat:user123');
  await tab.next('Subscribed', m => m.channel === 'presence:user123');
  const [user, presence] = await tab.called('updateUserPresence');
  assert.equal(user, 'user123');
  assert.deepEqual([presence.status, presence.status_message], ['online', 'Available']);

  await tab.ask(() => client.sendMessage('user456', 'Hello, how are you?'));
  const { message } = await witness.next('ChatMessage');
  assert.deepEqual(Object.keys(message), ['from', 'to', 'message', 'timestamp', 'message_type']);
  assert.deepEqual([message.from, message.to, message.message, message.message_type],
    ['user123', 'user456', 'Hello, how are you?', 'chat']);
  assert.deepEqual(await tab.called('displayMessage'), [message]);

  witness.send({ type: 'Typing', from: 'user456', to: 'user123', typing: true });
  assert.deepEqual(await tab.called('showTypingIndicator'),
    [{ type: 'Typing', from: 'user456', to: 'user123', typing: true }]);
  await notify(server, 'user123', 'info');
  const [notification] = await tab.called('showNotification');
  assert.deepEqual([notification.title, notification.level], ['News', 'info']);
  assert.equal(tab.frames.filter(m => m.type === 'ChatMessage').length, 1, 'the sender hears itself once');
  await witness.close();
}

async function examples(server, open) {
  const tab = await open();
  const code = (heading, instead) => tab.run(snippet('sge', heading, server, instead));
  const witness = await peer(server, 'user456');
  witness.send({ type: 'Subscribe', channel: 'presence:user123' });
  await witness.next('Subscribed');
  await tab.leaves('handleMessage');
  await code('Establishing Connection', { jwt_token: token('user123') });
  await tab.called('console.log', text => text === 'Connected to SGE WebSocket');

  await code('Update Presence');
  const presence = await witness.next('PresenceStatus', m => m.status_message === 'Available for chat');
  assert.deepEqual([presence.user_id, presence.status], ['user123', 'online']);
  await code('Subscribe to Presence');
  await tab.called('handleMessage', m => m.type === 'Subscribed' && m.channel === 'presence:user123');
  await code('Send Message');
  assert.equal((await witness.next('ChatMessage')).message.message, 'Hello, how are you?');
  await tab.called('handleMessage', m => m.type === 'ChatMessage');
  await code('Typing Indicators');
  for (const typing of [true, false]) {
    assert.deepEqual(await witness.next('Typing'), { type: 'Typing', from: 'user123', to: 'user456', typing });
  }
  await code('Subscribe to Channels');
  for (const channel of ['chat:user123', 'presence:user456']) {
    await tab.called('handleMessage', m => m.type === 'Subscribed' && m.channel === channel);
  }
  await code('Unsubscribe from Channels');
  await tab.called('handleMessage', m => m.type === 'Unsubscribed' && m.channel === 'chat:user123');
  await witness.close();
}

async function component(server, open, cookies) {
  const tab = await open();
  await tab.page.context().addCookies(cookies);
  const recipient = await Socket.open(
    `ws://${server.address}/ws/auth?token=${token('recipient')}`);
  await tab.render(snippet('sge', 'React Chat Component', server), 'ChatComponent', { userId: 'user123' });
  const shown = text => tab.page.getByText(text, { exact: true }).waitFor();
  await tab.opened();
  for (const text of ['first words', 'second words']) {
    await tab.page.locator('input').fill(text);
    await tab.page.locator('input').press('Enter');
    assert.equal((await recipient.next('ChatMessage')).message.message, text);
    await shown(text);
  }
  recipient.send({
    type: 'ChatMessage',
    message: { from: 'recipient', to: 'user123', message: 'an answer', timestamp: 1, message_type: 'chat' },
  });
  await shown('an answer');
  assert.equal(await tab.page.locator('#root div div').count(), 3);
  await tab.ask(() => root.unmount());
  await recipient.close();
}

async function restExamples(server) {
  const user = await peer(server, 'user123');
  user.send({ type: 'Subscribe', channel: 'notifications' });
  user.send({ type: 'PresenceUpdate', user_id: 'user123', status: 'online', status_message: 'Available' });
  await user.next('Subscribed');
  const bearer = token('user123', '--permission', 'publish');
  const online = await ask(server, 'Get All Presence', bearer);
  assert.equal(online.status, 200);
  assert.deepEqual(Object.keys(online.body.user123).sort(), ['message', 'status', 'timestamp']);
  const set = await ask(server, 'Update Presence by REST', bearer);
  assert.deepEqual([set.status, set.body.status], [200, 'ok']);
  const { body: all } = await ask(server, 'Get All Presence', bearer);
  assert.deepEqual([all.user123.status, all.user123.message], ['busy', 'In meeting']);
  // The document shows this one without a credential, which is needed here (ruling S11).
  assert.equal((await ask(server, 'Get User Presence', bearer)).status, 401);
  const status = await ask(server, 'Connection Status', bearer);
  assert.deepEqual(Object.keys(status.body).sort(), ['channels_active', 'clients_connected', 'status', 'timestamp']);
  assert.deepEqual([status.body.status, status.body.clients_connected], ['active', 1]);
  assert.equal((await ask(server, 'Broadcast to Channel', bearer)).status, 200);
  const broadcast = await user.next('Notification');
  assert.deepEqual([broadcast.title, broadcast.level, broadcast.channel],
    ['System Maintenance', 'warning', 'notifications']);
  assert.equal((await ask(server, 'Send to User', bearer)).status, 200);
  const told = await user.next('Notification');
  assert.deepEqual([told.message, told.level], ['You have a new message from John', 'info']);
  assert.equal((await ask(server, 'Send to User', 'nobody.knows.this')).status, 401);
  await user.close();
}

await run({
  the_chat_application: () => Server.with(REQUIRED, 'sge', server =>
    withPages(open => chatApplication(server, open))),
  every_example_in_one_page: () => Server.with(REQUIRED, 'sge', server =>
    withPages(open => examples(server, open))),
  the_react_component_is_who_it_says_in_open_mode: () => Server.with(`[auth]\n${SECRET_SETTING}`, 'sge', server =>
    withPages(open => component(server, open, []))),
  the_react_component_has_its_token_in_a_cookie: () => Server.with(REQUIRED, 'sge', server =>
    withPages(open => component(server, open, [{ name: 'token', value: token('user123'), url: `http://${server.address}` }]))),
  the_rest_examples: () => Server.with(REQUIRED, 'sge', restExamples),
});
