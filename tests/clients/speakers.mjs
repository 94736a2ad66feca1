// Three real clients with one face: `send` an object, `next` message that fits, `shard` it lives on.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Inbox, soon } from './soon.mjs';

const CLIENTS = process.env.CLIENTS;

class Speaker {
  inbox = new Inbox();

  next(type, fits = () => true) {
    return this.inbox.next(`${type} at ${this.name}`, m => m.type === type && fits(m));
  }

  // Of a connection's id, 64 bits in hexadecimal, the first 16 are its shard.
  async shard() {
    const { connectionId } = await this.next('welcome');
    return Number(BigInt(`0x${connectionId}`) >> 48n);
  }
}

// A program that takes messages as lines on stdin and prints those that come.
class Program extends Speaker {
  constructor(name, command, args, read) {
    super();
    this.name = name;
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.once('error', error => console.error(`${name}: ${error}`));
    this.ended = new Promise(ok => this.process.once('exit', ok));
    createInterface({ input: this.process.stdout }).on('line', line => {
      const json = read(line);
      if (json) this.inbox.put(JSON.parse(json));
    });
  }

  send(message) { this.process.stdin.write(`${JSON.stringify(message)}\n`); }

  async close() {
    this.process.stdin.end();
    await soon(`the end of ${this.name}`, this.ended);
  }
}

// The Python library `websockets`.
export function python(url) {
  const script = new URL('chat.py', import.meta.url).pathname;
  return new Program('python', `${CLIENTS}/venv/bin/python`, [script, url], line => line);
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
