// A lanecast process, started, stopped and killed by the tests.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { soon } from './soon.mjs';

const BINARY = process.env.LANECAST_BIN;
const FOLDER = `${process.env.CLIENTS}/run`;

export class Server {
  // `settings` is the text of a configuration file; port 0 lets the kernel choose.
  static async start(settings, port = 0) {
    const server = new Server();
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${FOLDER}/lanecast.toml`, settings);
    const flags = ['--listen', `127.0.0.1:${port}`, '--shards', '2', '--drain-seconds', '0.5',
      '--data-dir', 'none', '--log-level', 'error', '--config', 'lanecast.toml'];
    server.process = spawn(BINARY, flags, { cwd: FOLDER, stdio: ['ignore', 'inherit', 'pipe'] });
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

  get url() { return `ws://127.0.0.1:${this.port}/`; }

  // Ends it by a signal and waits; answers its exit code, null after a signal that kills.
  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    return soon('the end of the server', this.ended);
  }
}
