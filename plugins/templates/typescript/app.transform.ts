/** The plugin my-plugin: one message in, at most one out. */

import type { Error as Refusal, Message } from 'tidegate:plugin/transform@0.1.0';

export const transform = {
  transform({ body }: Message): Message | undefined {
    const text = new TextDecoder().decode(body);
    if (text === '') throw { tag: 'rejected', val: 'say something' } satisfies Refusal;
    if (text.startsWith('#')) return undefined;
    return { topic: '', metadata: [], body: new TextEncoder().encode(`you said ${text}`) };
  },
};
