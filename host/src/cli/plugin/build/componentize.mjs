/** Makes a component of a guest's source. arguments: SOURCE WIT WORLD ENTRY OUTPUT; ENTRY is the folder of what is called. */

import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [source, witPath, worldName, entry, output] = process.argv.slice(1);

/** Of each file that has a map beside it: where each of its lines was written. */
async function writtenLines() {
  const lines = {};
  if (!existsSync(`${source}.map`)) return lines;
  const folder = dirname(source);
  const names = await readdir(folder, { recursive: true });
  for (const name of names.filter((name) => name.endsWith('.js.map') && !name.includes('node_modules'))) {
    const [path, file] = [join(folder, name), join(folder, name.slice(0, -'.map'.length))];
    const map = new SourceMap(JSON.parse(await readFile(path, 'utf8')));
    const count = (await readFile(file, 'utf8')).split('\n').length;
    lines[file] = Array.from({ length: count }, (_, line) => {
      const { originalSource, originalLine } = map.findEntry(line, Infinity);
      return originalSource && `${relative('.', resolve(dirname(path), originalSource))}:${originalLine + 1}`;
    });
  }
  return lines;
}

/** What the engine said of it, without how it was run. */
function told(error, lines) {
  const said = error.message
    .replace(/^Failed to initialize component \(.*\):\n/, '')
    .replace('Exception while evaluating top-level script\n', '')
    .replace(/\nAdditionally, some promises were rejected, but the rejection never handled:\n.*/, '');
  return said.replace(/(\S+\.js):(\d+):\d+/g, (whole, file, line) => lines[file]?.[line - 1] ?? whole);
}

const lines = await writtenLines();
await writeFile(join(entry, 'lines.js'), `export const lines = ${JSON.stringify(lines)};\n`);
try {
  const { component } = await componentize({
    sourceName: source,
    // An absolute one, from which all of the guest's folder can be imported.
    sourcePath: join(entry, 'entry.js'),
    witPath,
    worldName,
    // They import wasi:http, which no plugin is offered.
    disableFeatures: ['http', 'fetch-event'],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(told(error, lines));
  process.exit(1);
}
