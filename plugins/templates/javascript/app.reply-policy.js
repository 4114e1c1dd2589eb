/** The plugin my-plugin: one request of a broker's client in, any number of replies out. */

/** @type {typeof import('tidegate:plugin/reply-policy@0.2.0')} */
export const replyPolicy = {
  replies({ message: { frames } }) {
    if (frames.every((frame) => frame.length === 0)) throw { tag: 'rejected', val: 'say something' };
    // At once, and again 100 ms later.
    return [
      { delayMs: 0, message: { metadata: [], frames } },
      { delayMs: 100, message: { metadata: [], frames } },
    ];
  },
};
