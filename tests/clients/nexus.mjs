// The code of the NEXUS document runs as it stands there: its Python client, its test, and its browser code.
import assert from 'node:assert/strict';
import { withPages } from './browser.mjs';
import { snippet } from './document.mjs';
import { Server } from './server.mjs';
import { run } from './soon.mjs';
import { Socket, pytest, pythonCode } from './speakers.mjs';

const peer = async (server, user) => {
  const socket = await Socket.open(`ws://${server.address}/ws?user_id=${user}`);
  await socket.next('system.message');
  return socket;
};

async function pythonClient(server) {
  const client = pythonCode(snippet('nexus', 'Python Client Example', server));
  try {
    assert.equal((await client.next('system.message')).user_id, 'user123');
    const echo = await client.next('chat.message');
    assert.deepEqual([echo.conversation_id, echo.content, echo.content_type, echo.sender_id],
      ['conv_123', 'Hello, World!', 'text', 'user123']);
    const other = await peer(server, 'user456');
    other.send({ event_type: 'chat.message', conversation_id: 'conv_123', content: 'Hello, user123!' });
    assert.equal((await client.next('chat.message')).sender_id, 'user456');
    // That somebody else got it is told to who said it, after the echo.
    const { message_id: echoed } = await other.next('chat.message');
    assert.equal((await other.next('chat.delivered')).message_id, echoed);
    await other.close();
  } finally {
    await client.kill();
  }
}

async function browser(server, open) {
  const tab = await open();
  const mentioned = await peer(server, 'user456');
  const witness = await peer(server, 'user789');
  const code = heading => tab.run(snippet('nexus', heading, server));
  await code('JavaScript/Browser Example');
  await tab.called('console.log', text => text === 'Connected to NEXUS WebSocket');
  await tab.next('system.message');
  await witness.next('presence.online', m => m.user_id === 'user123');
  witness.send({ event_type: 'chat.message', conversation_id: 'conv_123', content: 'I am here' });
  await witness.next('chat.message');
  witness.send({ event_type: 'room.join', room_id: 'room_general' });
  await witness.next('room.join');

  await code('Send a Chat Message');
  const said = await witness.next('chat.message');
  assert.deepEqual([said.content, said.mentions, said.attachments], ['Hello everyone!', ['user456'], []]);
  assert.equal((await tab.next('chat.message')).message_id, said.message_id);
  // Who is mentioned and not there is told where, and not what.
  assert.match((await mentioned.next('notification')).message, /^user123 mentioned you in conv_123$/);
  await code('Show Typing Indicator');
  const typing = await witness.next('chat.typing');
  assert.deepEqual([typing.user_id, typing.username, typing.is_typing], ['user123', 'John Doe', true]);
  await code('Join a Room/Channel');
  await tab.next('room.join', m => m.room_id === 'room_general');
  assert.equal((await witness.next('room.join')).username, 'John Doe');
  await code('Update Presence Status');
  const presence = await witness.next('presence.update');
  assert.deepEqual([presence.status, presence.status_message, presence.location],
    ['away', 'In a meeting', 'Meeting Room']);
  // What this version does not do it says.
  for (const heading of ['Collaborative Document Editing', 'Update Cursor Position']) {
    await code(heading);
    assert.equal((await tab.next('error')).message, 'Collaborative documents are not served yet');
  }
  await tab.ask(() => ws.close());
  await tab.called('console.log', text => text === 'Disconnected from NEXUS WebSocket');
  await witness.next('presence.offline', m => m.user_id === 'user123');
  assert.equal(tab.frames.filter(m => m.event_type === 'chat.typing').length, 0, 'who types is not told of it');
  await Promise.all([witness.close(), mentioned.close()]);
}

await run({
  the_python_client: () => Server.with('', 'nexus', pythonClient),
  the_documents_test: () => Server.with('', 'nexus', async server => {
    assert.match(pytest(snippet('nexus', 'WebSocket Test Example', server), server), /^1 passed/m);
  }),
  the_browser_examples: () => Server.with('', 'nexus', server => withPages(open => browser(server, open))),
});
