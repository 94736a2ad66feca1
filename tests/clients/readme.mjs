// What README.md says that it runs runs, and says in this order what it is said to say: in the console of the
// server's own page, or in Python.
import assert from 'node:assert/strict';
import { withPages } from './browser.mjs';
import { readmeSnippets } from './document.mjs';
import { Server } from './server.mjs';
import { run } from './soon.mjs';
import { pythonCode } from './speakers.mjs';

const ADDRESS = '127.0.0.1:8000';
const kind = frame => frame.event_type ?? frame.type;

const RUNS = {
  // The code finds the server as the page's own; only the page is elsewhere than in README.md.
  js: (server, code, words) => withPages(async open => {
    const tab = await open(`http://${server.address}/`);
    await tab.run(code);
    for (const word of words) await tab.next(word);
    assert.deepEqual(tab.frames.map(kind).slice(0, words.length), words);
  }),
  python: async (server, code, words) => {
    assert.ok(code.includes(ADDRESS), `the snippet connects to ${ADDRESS}`);
    const client = pythonCode(code.replaceAll(ADDRESS, server.address));
    const said = [];
    for (const word of words) {
      const frame = await client.inbox.next(`${word} in Python`, () => true);
      said.push(kind(frame));
    }
    assert.equal(await client.ended, 0);
    assert.deepEqual(said, words);
  },
};

const snippets = readmeSnippets();
// Both languages for each of the five dialects.
assert.ok(snippets.length >= 10, `only ${snippets.length} snippets of README.md say that they are run`);
const tests = snippets.map(({ heading, language, words, code }) => [`${heading}: ${language}`,
  () => Server.with('', '', server => RUNS[language](server, code, words))]);
await run(Object.fromEntries(tests));
