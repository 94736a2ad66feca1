// The client of the AegisX document runs as it stands there, and an administrator does what the document names.
import assert from 'node:assert/strict';
import { withPages } from './browser.mjs';
import { snippet } from './document.mjs';
import { SECRET_SETTING, Server, token } from './server.mjs';
import { run } from './soon.mjs';
import { Socket } from './speakers.mjs';

const REQUIRED = `[auth]\nmode = 'required'\n${SECRET_SETTING}`;

// In a header, as services have it.
const connect = (server, path, user, ...flags) =>
  Socket.open(`ws://${server.address}${path}`, { headers: { authorization: `Bearer ${token(user, ...flags)}` } });

async function member(server, user, tenant, channel) {
  const socket = await connect(server, '/ws', user, '--tenant', tenant);
  await socket.next('connection');
  socket.send({ type: 'join_channel', data: { channel } });
  await socket.next('channel_joined');
  return socket;
}

const administrator = async (server, tenant) => {
  const admin = await connect(server, '/ws/admin', 'root', '--tenant', tenant, '--role', 'admin');
  await admin.next('connection');
  return admin;
};

async function frontend(server, open) {
  const colleague = await member(server, 'ben', 'acme', 'tenant:acme:general');
  const admin = await administrator(server, 'acme');
  const tab = await open();
  await tab.run(`const authToken = '${token('ann', '--tenant', 'acme')}', tenantId = 'acme';`);
  await tab.leaves('showNotification', 'displayMessage');
  await tab.run(snippet('aegisx', 'Frontend Integration', server));
  await tab.called('console.log', text => text === 'Connected to WebSocket');
  const { data: { connectionId } } = await tab.next('connection');
  await tab.next('channel_joined', m => m.data.channel === 'tenant:acme:general');

  await tab.ask(() => wsClient.sendMessage('tenant:acme:general', { text: 'hello', lines: [1, 2] }));
  const { data } = await colleague.next('channel_message');
  assert.deepEqual([data.channel, data.message], ['tenant:acme:general', { text: 'hello', lines: [1, 2] }]);
  assert.deepEqual(data.sender, { id: 'ann', connectionId });
  assert.match(data.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  colleague.send({ type: 'send_message', data: { channel: 'tenant:acme:general', message: 'hello, Ann' } });
  assert.deepEqual(await tab.called('displayMessage'), ['tenant:acme:general', 'hello, Ann']);

  await tab.ask(() => wsClient.subscribeToNotifications());
  assert.deepEqual((await tab.next('notifications_subscribed')).data, { types: ['all'] });
  const notification = { type: 'status_updated', data: { status: 'active' } };
  admin.send({ type: 'notify_user', data: { tenantId: 'acme', userId: 'ann', notification } });
  assert.deepEqual(await tab.called('showNotification'), [notification]);
  // Another tenant's channel is closed, and one's own administrators' too.
  for (const channel of ['tenant:acme2:general', 'tenant:acme:admin']) {
    await tab.ask(name => wsClient.joinChannel(name), channel);
    assert.deepEqual((await tab.next('error')).data, { error: 'Access denied to channel' });
  }
  assert.equal(tab.frames.filter(m => m.type === 'channel_message').length, 1, 'a sender does not hear itself');
  admin.send({ type: 'disconnect', data: { connectionId } });
  await tab.called('console.log', text => text === 'WebSocket connection closed');
  await Promise.all([colleague.close(), admin.close()]);
}

async function administration(server) {
  const [ann, eve] = [await member(server, 'ann', 'acme', 'public:news'), await member(server, 'eve', 'evil', 'public:news')];
  const admin = await administrator(server, 'acme');
  admin.send({ type: 'get_stats' });
  assert.deepEqual((await admin.next('stats')).data,
    { total: 3, byTenant: { acme: 2, evil: 1 }, byChannel: { 'public:news': 2 } });
  const frame = { type: 'user_created', data: { user: { id: 7 } } };
  admin.send({ type: 'broadcast_tenant', data: { tenantId: 'acme', message: frame } });
  assert.deepEqual(await ann.next('user_created'), frame);
  const all = { type: 'maintenance', data: { minutes: 10 } };
  admin.send({ type: 'broadcast', data: { message: all } });
  // The first that the other tenant hears.
  for (const socket of [ann, eve]) assert.deepEqual(await socket.next('maintenance'), all);
  ann.send({ type: 'get_stats' });
  assert.deepEqual((await ann.next('error')).data, { error: 'Unknown message type: get_stats' });
  await Promise.all([ann, eve, admin].map(socket => socket.close()));
}

async function refusals(server) {
  const stranger = await Socket.open(`ws://${server.address}/ws?token=nobody.knows.this`);
  assert.deepEqual(await stranger.closed, { code: 1000, reason: 'Authentication failed' });
  await assert.rejects(connect(server, '/ws/admin', 'ann', '--tenant', 'acme'), /403/);
  await assert.rejects(Socket.open(`ws://${server.address}/ws/admin`), /401/);
}

await run({
  the_frontend_client: () => Server.with(REQUIRED, 'aegisx', server => withPages(open => frontend(server, open))),
  what_administrators_do: () => Server.with(REQUIRED, 'aegisx', administration),
  who_is_not_let_in_is_told_so: () => Server.with(REQUIRED, 'aegisx', refusals),
});
