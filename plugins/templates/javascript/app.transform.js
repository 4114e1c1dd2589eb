/** The plugin my-plugin: one message in, at most one out. */

export const transform = {
  transform({ body }) {
    const text = new TextDecoder().decode(body);
    if (text === '') throw { tag: 'rejected', val: 'say something' };
    if (text.startsWith('#')) return undefined;
    return { topic: '', metadata: [], body: new TextEncoder().encode(`you said ${text}`) };
  },
};
