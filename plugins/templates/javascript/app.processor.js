/** The plugin my-plugin: one message in, any number of messages out. */

/** @type {typeof import('tidegate:plugin/processor@0.2.0')} */
export const processor = {
  process({ frames }) {
    // The body comes last; by HTTP it is all there is.
    const before = frames.slice(0, -1);
    const text = new TextDecoder().decode(frames.at(-1));
    if (text === '') throw { tag: 'rejected', val: 'say something' };
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return lines.map((line) => ({ metadata: [], frames: [...before, new TextEncoder().encode(`you said ${line}`)] }));
  },
};
