// Waiting for what must happen, and counting what did.

// Far longer than anything takes on a busy machine; only failures wait for its end.
const PATIENCE_MS = 60_000;

export async function soon(what, promise) {
  let timer;
  const late = new Promise((_, no) => {
    timer = setTimeout(() => no(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Messages as they come; `next` passes over those that do not fit.
export class Inbox {
  #waiting = [];
  #wake = () => {};

  put(message) {
    this.#waiting.push(message);
    this.#wake();
  }

  async next(what, fits) {
    const found = async () => {
      for (;;) {
        while (this.#waiting.length > 0) {
          const message = this.#waiting.shift();
          if (fits(message)) return message;
        }
        await new Promise(ok => { this.#wake = ok; });
      }
    };
    return soon(what, found());
  }
}

const children = new Set();
process.once('exit', () => children.forEach(child => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(1));

// A process that does not outlive the tests, however they end.
export function ours(child) {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

// Runs the tests one after another, and ends the process with the count as its last line.
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const begun = Date.now();
    try {
      await test();
      console.log(`ok     ${name} (${Date.now() - begun} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}: ${error.stack}`);
    }
  }
  console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
