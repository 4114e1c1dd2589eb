/** Makes a component of app.js. usage: node build.mjs WIT OUT */

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [witPath, out] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: 'app.js',
  witPath,
  worldName: 'javascript',
  // wasi:http, which no plugin is offered.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile(out, component);
