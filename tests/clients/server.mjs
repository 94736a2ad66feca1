// A lanecast process, started, stopped and killed by the tests.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ours, soon } from './soon.mjs';

const BINARY = process.env.LANECAST_BIN;
const FOLDER = `${process.env.CLIENTS}/run`;

// Of at least 32 bytes, or the server warns of it.
const SECRET = 'the secret of the tests of real clients';

// What lets the server verify what `token` mints.
export const SECRET_SETTING = `jwt_secret = '${SECRET}'\n`;

// A JWT for that user; `flags` say what else is in it.
export function token(user, ...flags) {
  const minted = execFileSync(BINARY, ['token', '--user', user, '--jwt-secret', SECRET, ...flags], { encoding: 'utf8' });
  return minted.trim();
}

export class Server {
  // `settings` is the text of a configuration file; port 0 lets the kernel choose. `dialect`: whose URLs the listener
  // has; without, all share it.
  static async start(settings, port = 0, dialect = '') {
    const server = new Server();
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${FOLDER}/lanecast.toml`, settings);
    const flags = ['--listen', `127.0.0.1:${port}${dialect && `=${dialect}`}`, '--shards', '2', '--drain-seconds', '0.5',
      '--data-dir', 'none', '--log-level', 'error', '--config', 'lanecast.toml'];
    server.process = ours(spawn(BINARY, flags, { cwd: FOLDER, stdio: ['ignore', 'inherit', 'pipe'] }));
    server.ended = new Promise(ok => server.process.once('exit', ok));
    const ready = new Promise((ok, no) => {
      server.process.once('error', no);
      server.process.once('exit', code => no(new Error(`lanecast ended with ${code}`)));
      createInterface({ input: server.process.stderr }).on('line', line => {
        const found = line.match(/^lanecast ready on 127\.0\.0\.1:(\d+)$/);
        if (found) ok(Number(found[1]));
        else console.error(`lanecast: ${line}`);
      });
    });
    server.port = await soon('the ready line', ready);
    return server;
  }

  // Starts one, uses it, and ends it; it must end with 0.
  static async with(settings, dialect, use) {
    const server = await Server.start(settings, 0, dialect);
    try {
      await use(server);
      const code = await server.stop();
      if (code !== 0) throw new Error(`lanecast ended with ${code}`);
    } finally {
      server.process.kill('SIGKILL');
    }
  }

  get address() { return `127.0.0.1:${this.port}`; }

  get url() { return `ws://${this.address}/`; }

  // Ends it by a signal and waits; answers its exit code, null after a signal that kills.
  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    return soon('the end of the server', this.ended);
  }
}
