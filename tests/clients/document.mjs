// The code blocks of Markdown: those of the documents, and those of README.md that say they are run.
import { readFileSync } from 'node:fs';

const read = path => readFileSync(new URL(path, import.meta.url), 'utf8');

// What the documents call the server.
const ADDRESSES = /wss:\/\/api\.skygenesisenterprise\.com|ws:\/\/localhost:\d+/g;

// The block under that heading of a document, word for word but for the address of the server and what `instead`
// names: a table of what is written there to what belongs in its place.
export function snippet(document, heading, server, instead = {}) {
  const text = read(`documents/${document}.md`);
  const block = text.split('\n## ').find(section => section.startsWith(`${heading}\n`))?.match(/```\w+\n([^]*?)```/);
  if (!block) throw new Error(`${document}.md has no block under ${heading}`);
  let code = block[1].replaceAll(ADDRESSES, `ws://${server.address}`);
  for (const [written, meant] of Object.entries(instead)) {
    if (!code.includes(written)) throw new Error(`${document}.md, ${heading}: no ${written}`);
    code = code.replaceAll(written, meant);
  }
  return code;
}

// The blocks of README.md behind a line `<!-- runs: WORD, … -->`, each with its language, the words, and the nearest
// heading above it.
export function readmeSnippets() {
  const heading = before => before.match(/^#+ .*$/gm).at(-1).replace(/^#+ /, '');
  const text = read('../../README.md');
  const blocks = text.matchAll(/^<!-- runs: (.*) -->\n\n```(\w+)\n([^]*?)^```$/gm);
  return [...blocks].map(({ index, 1: words, 2: language, 3: code }) => ({
    heading: heading(text.slice(0, index)), words: words.split(', '), language, code,
  }));
}
