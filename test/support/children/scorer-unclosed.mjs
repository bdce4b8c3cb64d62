// Scorers that nobody closes: unreachable ones are collected, and one that is idle must not keep the process alive.

import { setTimeout as delay } from 'node:timers/promises';
import { counters, PdmScorer } from './common.mjs';
import { drives, scene } from './small-scene.mjs';

async function forgotten() {
  for (let i = 0; i < 8; i++) {
    const scorer = new PdmScorer(scene());
    if (i % 2 === 0) await scorer.score(drives(3));
    else scorer.scoreSync(drives(3));
  }
}

await forgotten();
for (let i = 0; i < 100 && counters().scorers > 0; i++) {
  globalThis.gc();
  await delay(10);
}
if (counters().scorers > 0 || counters().threads > 0) throw new Error('scorers were not collected');
globalThis.kept = new PdmScorer(scene());
await globalThis.kept.score(drives(3));
console.log(JSON.stringify(counters()));
