/** The plugin my-plugin: one message in, at most one out. */

/** @type {typeof import('tidegate:plugin/transform@0.1.0')} */
export const transform = {
  transform({ body }) {
    const text = new TextDecoder().decode(body);
    if (text === '') throw { tag: 'rejected', val: 'say something' };
    if (text.startsWith('#')) return undefined;
    return { topic: '', metadata: [], body: new TextEncoder().encode(`you said ${text}`) };
  },
};
