/** Makes a component of hello.js that exports wasi:http/incoming-handler. usage: node build.mjs WIT OUT */

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [witPath, out] = process.argv.slice(2);
// Its engine hands what the world exports to the listener of fetch events.
const { component } = await componentize({ sourcePath: 'hello.js', witPath, worldName: 'hello' });
await writeFile(out, component);
