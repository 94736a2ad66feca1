// The code of the Gator document runs as it stands there: Python, wscat, tests, a page, and a React component.
import assert from 'node:assert/strict';
import { withPages } from './browser.mjs';
import { snippet } from './document.mjs';
import { SECRET_SETTING, Server, token } from './server.mjs';
import { run } from './soon.mjs';
import { Socket, pytest, pythonCode, wscat } from './speakers.mjs';

async function member(server, user, conversation) {
  const socket = await Socket.open(`ws://${server.address}/ws/${user}`);
  await socket.next('online_users', m => m.users.includes(user));
  socket.send({ type: 'join_conversation', conversation_id: conversation });
  await socket.next('conversation_joined');
  return socket;
}

const heard = async (socket, content) => {
  const { conversation_id: conversation, message, timestamp } = await socket.next('new_message');
  assert.equal(message.content, content);
  assert.deepEqual(Object.keys(message), ['id', 'sender_id', 'content', 'timestamp', 'is_ai']);
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  return { conversation, ...message };
};

// Its `input` blocks its own event loop, so what it hears it prints late: that it speaks is heard by others.
async function pythonClient(server) {
  const witness = await member(server, 'witness', 'conversation-uuid');
  const client = pythonCode(snippet('gator', 'Python Client', server));
  await witness.next('presence_update', m => m.user_id === 'user-uuid' && m.online);
  for (const text of ['first line', 'second line']) {
    client.line(text);
    const said = await heard(witness, text);
    assert.deepEqual([said.conversation, said.sender_id, said.is_ai], ['conversation-uuid', 'user-uuid', false]);
  }
  await client.kill();
  await witness.next('presence_update', m => m.user_id === 'user-uuid' && !m.online);
  await witness.close();
}

async function wscatSession(server) {
  const witness = await member(server, 'witness', 'test-conv-id');
  const session = snippet('gator', 'Manual Testing with wscat', server);
  const [, url] = session.match(/^wscat -c (\S+)$/m);
  const client = wscat(url);
  assert.deepEqual((await client.next('online_users')).users.sort(), ['test-user-id', 'witness']);
  const [join, say, start, stop] = session.match(/(?<=^> ).*$/gm);
  client.line(join);
  await client.next('conversation_joined', m => m.conversation_id === 'test-conv-id');
  client.line(say);
  assert.equal((await heard(witness, 'Hello!')).sender_id, 'test-user-id');
  await heard(client, 'Hello!');
  for (const [line, typing] of [[start, true], [stop, false]]) {
    client.line(line);
    const told = await witness.next('typing_indicator');
    assert.deepEqual([told.user_id, told.is_typing], ['test-user-id', typing]);
  }
  client.send({ type: 'get_online_status', user_ids: ['witness', 'nobody'] });
  assert.deepEqual((await client.next('online_users')).users, ['witness']);
  await client.kill();
  await witness.close();
}

async function browser(server, open) {
  const tab = await open();
  const witness = await member(server, 'witness', 'conversation-uuid');
  const shown = ['displayMessage', 'showTypingIndicator', 'updateUserPresence', 'updateOnlineUsersList'];
  await tab.leaves(...shown);
  await tab.run(snippet('gator', 'JavaScript/Browser', server));
  await tab.called('console.log', text => text === 'Connected to WebSocket');
  await tab.next('conversation_joined');
  const [users] = await tab.called('updateOnlineUsersList');
  assert.deepEqual(users.sort(), ['user-uuid-here', 'witness']);
  await tab.ask(() => sendMessage('conversation-uuid', 'from the page'));
  assert.equal((await heard(witness, 'from the page')).sender_id, 'user-uuid-here');
  assert.equal((await tab.called('displayMessage'))[0].content, 'from the page');
  await tab.ask(() => handleTyping('conversation-uuid'));
  // The page's own timer stops it after 3 seconds, before the server's would.
  for (const typing of [true, false]) {
    assert.equal((await witness.next('typing_indicator')).is_typing, typing);
  }
  witness.send({ type: 'typing_start', conversation_id: 'conversation-uuid' });
  assert.deepEqual(await tab.called('showTypingIndicator'), ['witness', true]);
  // Nobody speaks for personas here, and the document's client shows what it is told.
  await tab.ask(() => sendMessage('conversation-uuid', 'is anybody there?', 'a-persona'));
  await tab.called('console.error', text => text.startsWith('WebSocket error:'));
  const late = await member(server, 'late', 'elsewhere');
  assert.deepEqual(await tab.called('updateUserPresence'), ['late', true]);
  await Promise.all([witness.close(), late.close()]);
}

async function component(server, open) {
  const tab = await open();
  const witness = await member(server, 'witness', 'general');
  const jsx = snippet('gator', 'React Component Example', server);
  await tab.render(jsx, 'ChatComponent', { userId: 'ann', conversationId: 'general' });
  const shown = text => tab.page.getByText(text, { exact: true }).waitFor();
  await shown('Online: 2');
  await tab.next('conversation_joined');
  await tab.page.locator('input').pressSequentially('Hello!');
  await witness.next('typing_indicator', m => m.user_id === 'ann' && m.is_typing);
  await tab.page.locator('button').click();
  await heard(witness, 'Hello!');
  await shown('Hello!');
  witness.send({ type: 'typing_start', conversation_id: 'general' });
  await shown('Someone is typing...');
  witness.send({ type: 'send_message', conversation_id: 'general', content: 'Hello, Ann!' });
  await shown('Hello, Ann!');
  // Who says it types no longer.
  await tab.page.getByText('Someone is typing...').waitFor({ state: 'detached' });
  assert.equal(await tab.page.locator('.user-message').count(), 2);
  await tab.ask(() => root.unmount());
  await witness.next('presence_update', m => m.user_id === 'ann' && !m.online);
  await witness.close();
}

async function production(server) {
  const auth = bearer => Socket.open(`ws://${server.address}/ws/auth?token=${bearer}`);
  const ann = await auth(token('ann'));
  assert.deepEqual((await ann.next('online_users')).users, ['ann']);
  const stranger = await auth('nobody.knows.this');
  assert.deepEqual(await stranger.closed, { code: 1008, reason: 'Invalid token' });
  const more = await Promise.all([2, 3, 4, 5].map(() => auth(token('ann'))));
  const sixth = await auth(token('ann'));
  assert.deepEqual(await sixth.closed, { code: 1008, reason: 'Too many connections' });
  await Promise.all([ann, ...more].map(socket => socket.close()));
}

await run({
  the_python_client: () => Server.with('', 'gator', pythonClient),
  the_wscat_session: () => Server.with('', 'gator', wscatSession),
  the_documents_tests: () => Server.with('', 'gator', async server => {
    assert.match(pytest(snippet('gator', 'Automated Testing with pytest', server), server), /^2 passed/m);
  }),
  the_browser_code: () => Server.with('', 'gator', server => withPages(open => browser(server, open))),
  the_react_component: () => Server.with('', 'gator', server => withPages(open => component(server, open))),
  tokens_and_the_sixth_connection_as_in_production: () =>
    Server.with(`[auth]\nmode = 'required'\n${SECRET_SETTING}`, 'gator', production),
});
