/** Makes a component of a guest's source. arguments: SOURCE WIT WORLD OUTPUT */

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, worldName, output] = process.argv.slice(1);
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName,
  // They import wasi:http, which no plugin is offered.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile(output, component);
