// What the child processes share: the built package, its addon for the counters, an observation.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const require = createRequire(import.meta.url);

export const { loadCheckpoint, PdmScorer, Planner } = await import(
  new URL('../../../dist/index.js', import.meta.url).href
);

/** Live native objects of the process. */
export function counters() {
  return require('node-gyp-build')(root).counters();
}

const states = [{ t: 0, x: 0, y: 0, heading: 0, vx: 8, vy: 0 }];
export const observation = {
  ego: { length: 4.6, width: 1.9, history: states },
  command: 'unknown',
  agents: [{ length: 4.6, width: 1.9, history: [{ ...states[0], x: 20 }] }],
  map: { id: 'none', lanes: [], drivableArea: [] },
  route: [],
};

/** Takes some 100 ms and more. */
export const slow = { steps: 64, samples: 64, decode: 'sample' };
