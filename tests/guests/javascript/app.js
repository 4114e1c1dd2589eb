/** A transform that does what the message's body says, `word` or `word:text`; ../README.md lists the words. */

import { getArguments, getEnvironment } from 'wasi:cli/environment@0.2.12';
import { getStdin } from 'wasi:cli/stdin@0.2.12';

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

export const transform = {
  transform({ topic, body }) {
    const [, word, text] = new TextDecoder().decode(body).match(/^([^:]*):?(.*)$/s);
    const answer = words[word](text);
    return answer === undefined ? undefined : { topic, metadata: [], body: new TextEncoder().encode(answer) };
  },
};
