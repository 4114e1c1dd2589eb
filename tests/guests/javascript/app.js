/** Does what a message's body or a request's first frame says, `word` or `word:text`; ../README.md lists the words. */

import { getArguments, getEnvironment } from 'wasi:cli/environment@0.2.12';
import { getStdin } from 'wasi:cli/stdin@0.2.12';
import { get } from 'wasi:config/store@0.2.0-rc.1';

let calls = 0;

function loop() {
  for (;;);
}

function memory() {
  const held = [];
  for (;;) held.push(new Uint8Array(1 << 20).fill(1));
}

function log(text) {
  console.log(text);
  console.error(text);
  return text;
}

function raise(error) {
  throw error;
}

function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')} ${Math.random()}`;
}

/** What the attempt gives, or the error of the language. */
const tried = (attempt) => () => {
  try {
    return JSON.stringify(attempt());
  } catch (error) {
    return `${error.name}: ${JSON.stringify(error.payload ?? error.message)}`;
  }
};

const words = {
  downcase: (text) => `lower case of ${text} is ${text.toLowerCase()}`,
  loop,
  memory,
  throw: () => raise(new Error('nobody catches this')),
  reject: (text) => raise({ tag: 'rejected', val: text }),
  fail: (text) => raise({ tag: 'failed', val: text }),
  filter: () => undefined,
  remember: () => String(++calls),
  setting: (text) => get(text) ?? 'not set',
  log,
  big: (text) => 'x'.repeat(Number(text)),
  random,
  clock: () => `${Date.now() / 1000} ${performance.now() / 1000}`,
  // The ways to a file and to the network that the language has are not in this runtime, and trap.
  file: tried(() => import('/etc/passwd')),
  socket: tried(() => fetch('http://127.0.0.1/')),
  environment: tried(getEnvironment),
  arguments: tried(getArguments),
  stdin: tried(() => getStdin().blockingRead(1n)),
};

const below = (bound) => Math.floor(Math.random() * bound);

const delaysMs = {
  none: () => [],
  twice: () => [0, 100],
  // As the plugin random-replies.
  random: () => Array.from({ length: below(5) }, () => Math.floor(1000 / (1 + below(10)))),
};

function read(bytes) {
  return new TextDecoder().decode(bytes).match(/^([^:]*):?(.*)$/s).slice(1);
}

const written = (text) => new TextEncoder().encode(text);

export const processor = {
  process({ metadata, frames }) {
    const before = frames.slice(0, -1);
    const [word, text] = read(frames.at(-1));
    if (word === 'split') return text.split(',').map((part) => ({ metadata, frames: [...before, written(part)] }));
    if (word === 'frames') return [{ metadata: [], frames: [] }];
    const answer = words[word](text);
    return answer === undefined ? [] : [{ metadata: [], frames: [...before, written(answer)] }];
  },
};

export const replyPolicy = {
  replies({ message: { frames } }) {
    const [word, text] = read(frames[0]);
    if (word === 'nothing') return [{ delayMs: 0, message: { metadata: [], frames: [] } }];
    if (word in delaysMs) return delaysMs[word]().map((delayMs) => ({ delayMs, message: { metadata: [], frames } }));
    words[word](text);
    return [];
  },
};
