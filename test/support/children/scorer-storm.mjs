// Workers that score, most of them ended in the middle of it, and what is left in the process.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { counters, PdmScorer } from './common.mjs';
import { drives, scene } from './small-scene.mjs';

if (isMainThread) {
  const met = { scored: 0, terminated: 0 };
  for (let batch = 0; batch < 3; batch++) {
    await Promise.all(
      Array.from({ length: 4 }, (_, i) => {
        const worker = new Worker(new URL(import.meta.url), {
          workerData: { isShort: i === 0, batch },
        });
        worker.on('message', (what) => {
          if (what === 'scored') met.scored++;
          else worker.terminate();
        });
        return new Promise((resolve, reject) => {
          worker.once('error', reject);
          worker.once('exit', (code) => {
            if (code === 1) met.terminated++;
            resolve();
          });
        });
      }),
    );
  }
  const scorer = new PdmScorer(scene());
  await scorer.score(drives(10));
  met.scored++;
  await scorer.close();
  globalThis.closed = scorer;
  console.log(
    JSON.stringify({
      ...met,
      ...counters(),
      scorers: counters().scorers - 1,
      simMaps: counters().simMaps - 1,
    }),
  );
} else {
  const { isShort, batch } = workerData;
  const scorer = new PdmScorer(scene(), { threads: 1 + (batch % 2) });
  if (isShort) {
    const { scores } = await scorer.score(drives(100));
    if (scores.every((score) => score === scores[0])) parentPort.postMessage('scored');
    await scorer.close();
  } else {
    for (let i = 0; i < 4; i++) scorer.score(drives(50_000));
    parentPort.postMessage('scoring');
  }
}
