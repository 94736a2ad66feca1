// Real clients with one face: `send` an object, `next` message that fits.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Inbox, ours, soon } from './soon.mjs';

const CLIENTS = process.env.CLIENTS;
const WebSocket = createRequire(`${CLIENTS}/`)('ws');

export class Speaker {
  inbox = new Inbox();

  // NEXUS has another word for the type.
  next(type, fits = () => true) {
    return this.inbox.next(`${type} at ${this.name}`, m => (m.event_type ?? m.type) === type && fits(m));
  }
}

// A program that takes messages as lines on stdin and prints those that come.
export class Program extends Speaker {
  constructor(name, command, args, read) {
    super();
    this.name = name;
    this.process = ours(spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: `${CLIENTS}/run` }));
    this.process.once('error', error => console.error(`${name}: ${error}`));
    this.ended = new Promise(ok => this.process.once('exit', ok));
    createInterface({ input: this.process.stdout }).on('line', line => {
      const json = read(line);
      if (json) this.inbox.put(JSON.parse(json));
    });
  }

  send(message) { this.line(JSON.stringify(message)); }

  line(text) { this.process.stdin.write(`${text}\n`); }

  async close() {
    this.process.stdin.end();
    await soon(`the end of ${this.name}`, this.ended);
  }

  // For those that do not end by themselves.
  async kill() {
    this.process.kill('SIGKILL');
    await soon(`the end of ${this.name}`, this.ended);
  }
}

// The library `ws` of Node.
export class Socket extends Speaker {
  name = 'ws';

  static async open(url, options = {}) {
    const speaker = new Socket();
    const socket = new WebSocket(url, options);
    speaker.socket = socket;
    socket.on('message', text => speaker.inbox.put(JSON.parse(text)));
    speaker.closed = new Promise(ok => socket.on('close', (code, reason) => ok({ code, reason: String(reason) })));
    await soon('an open WebSocket', new Promise((ok, no) => socket.on('open', ok).on('error', no)));
    return speaker;
  }

  send(message) { this.socket.send(JSON.stringify(message)); }

  async close() {
    this.socket.close();
    await soon('a closed WebSocket', this.closed);
  }
}

// The Python library `websockets`.
export function python(url) {
  const script = new URL('chat.py', import.meta.url).pathname;
  return new Program('python', `${CLIENTS}/venv/bin/python`, [script, url], line => line);
}

// A program of others, in Python, that prints each message, perhaps behind a word: as it came, or as Python shows it.
export function pythonCode(code) {
  const file = `${CLIENTS}/run/client.py`;
  writeFileSync(file, code);
  const json = shown => shown.startsWith('{"') ? shown
    : shown.replaceAll("'", '"').replaceAll('True', 'true').replaceAll('False', 'false');
  const read = line => line.match(/(?:^|Received: )(\{.*)$/)?.slice(1).map(json)[0];
  return new Program('python', `${CLIENTS}/venv/bin/python`, ['-u', file], read);
}

// Tests of a document, in Python, against a server; answers what pytest says at the end.
export function pytest(code, server) {
  const file = `${CLIENTS}/run/test_document.py`;
  writeFileSync(file, code);
  const env = { ...process.env, LANECAST_URL: `ws://${server.address}`, PYTHONDONTWRITEBYTECODE: '1',
    PYTHONPATH: new URL('.', import.meta.url).pathname };
  const flags = ['-m', 'pytest', '-q', '-p', 'testclient', '-p', 'no:cacheprovider',
    '-o', 'asyncio_default_fixture_loop_scope=function', file];
  return execFileSync(`${CLIENTS}/venv/bin/python`, flags, { env, cwd: `${CLIENTS}/run`, encoding: 'utf8', timeout: 60_000 });
}

// The command `wscat` in a pipe, where it may print prompts before what comes.
export function wscat(url) {
  const read = line => line.match(/\{.*\}/)?.[0];
  const command = `${CLIENTS}/node_modules/.bin/wscat`;
  return new Program('wscat', command, ['--no-color', '--connect', url], read);
}

// A page's own WebSocket.
export class Page extends Speaker {
  name = 'chromium';

  static async open(context, site, url) {
    const speaker = new Page();
    speaker.page = await context.newPage();
    await speaker.page.exposeFunction('heard', text => speaker.inbox.put(JSON.parse(text)));
    await speaker.page.goto(site);
    await soon('an open WebSocket', speaker.page.evaluate(address => new Promise((ok, no) => {
      window.socket = new WebSocket(address);
      window.socket.onmessage = event => window.heard(event.data);
      window.socket.onopen = ok;
      window.socket.onclose = event => no(new Error(`closed with ${event.code}`));
    }), url));
    return speaker;
  }

  send(message) {
    return this.page.evaluate(text => window.socket.send(text), JSON.stringify(message));
  }

  // Answers whether the closing handshake was clean, and by which code.
  async close() {
    const closed = await soon('a closed WebSocket', this.page.evaluate(() => new Promise(ok => {
      window.socket.onclose = event => ok({ clean: event.wasClean, code: event.code });
      window.socket.close(1000, 'bye');
    })));
    await this.page.close();
    return closed;
  }
}
