// One bad input in a process of its own: what it was refused with, and how far the resident memory rose above what
// was there before. node front-end-memory.mjs KIND PATH [TEXT LENGTH]

import { readFileSync } from 'node:fs';
import {
  letterbox,
  readImage,
  scenePrompt,
  TextTokenizer,
  VlaPlanner,
} from '../../../dist/index.js';

const [kind, path, limit] = process.argv.slice(2);
const kFields = { command: 'left' };

/** What is needed first, then the call. */
const kinds = {
  image: async () => {
    // The addon is loaded by the first call, and the decoder by the first file that begins as a JPEG does.
    const small = { data: new Uint8Array(12), width: 2, height: 2 };
    await letterbox(small);
    await readImage(Buffer.from([0xff, 0xd8, 0xff])).catch(() => {});
    return async () => letterbox(await readImage(path, limit ? { maxPixels: Number(limit) } : {}));
  },
  prompt: async () => {
    const tokenizer = await TextTokenizer.load(path);
    const user = 'turn left '.repeat(Number(limit) / 2);
    tokenizer.encode('turn left');
    return () => scenePrompt(tokenizer, { user }, { images: [], fields: kFields });
  },
  ids: async () => {
    const planner = await VlaPlanner.load(path, { device: 'cpu', maxTokens: 256 });
    await planner.plan({ ids: [3, 4, 5] });
    return () => planner.plan({ ids: new Int32Array(Number(limit)).fill(3) });
  },
  model: async () => {
    await VlaPlanner.load('nowhere').catch(() => {});
    return () => VlaPlanner.load(path, { device: 'cpu', maxTokens: 256 });
  },
};

/** Most resident memory so far, bytes. On Linux it can be set back to what there is now. */
function peak() {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) * 1024;
}

const call = await kinds[kind]();
globalThis.gc?.();
const before = peak();
const result = await call().then(
  () => 'accepted',
  ({ code, message }) => ({ code, message }),
);
process.stdout.write(JSON.stringify({ result, rose: peak() - before }));
process.exit(0);
