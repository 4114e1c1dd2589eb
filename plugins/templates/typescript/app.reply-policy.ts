/** The plugin my-plugin: one request of a broker's client in, any number of replies out. */

import type { Error as Refusal, Reply, Request } from 'tidegate:plugin/reply-policy@0.2.0';

export const replyPolicy = {
  replies({ message: { frames } }: Request): Reply[] {
    if (frames.every((frame) => frame.length === 0)) {
      throw { tag: 'rejected', val: 'say something' } satisfies Refusal;
    }
    // At once, and again 100 ms later.
    return [
      { delayMs: 0, message: { metadata: [], frames } },
      { delayMs: 100, message: { metadata: [], frames } },
    ];
  },
};
