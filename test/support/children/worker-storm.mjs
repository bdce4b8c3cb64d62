// Terminates 100 workers in the middle of their plans, several at once, and prints what is left in the process.
// Arguments: checkpoint folder.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { counters, observation, Planner, slow } from './common.mjs';

if (isMainThread) {
  await storm(process.argv[2]);
} else {
  await plan(workerData.directory);
}

async function plan(directory) {
  parentPort.postMessage('loading');
  const planner = await Planner.load(directory, { threads: 1 + (workerData.number % 2) });
  // One running, some in the queue.
  const running = planner.refine(observation, slow);
  const first = running.next();
  for (let i = 0; i < 4; i++) planner.plan(observation, slow);
  await first;
  parentPort.postMessage('in the middle');
  for await (const _ of running);
}

async function storm(directory) {
  const started = [];
  let met = 0;
  for (let number = 0; number < 100; number++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { directory, number } });
    started.push(
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        // One half dies while it loads, makes its engine or queues plans, the other half in a plan that has begun.
        worker.on('message', (where) => {
          if (where === 'in the middle') {
            met++;
            worker.terminate();
          } else if (number % 2 === 0) {
            setTimeout(() => worker.terminate(), (number / 2) % 12);
          }
        });
        worker.once('exit', resolve);
      }),
    );
    if (started.length === 4) await Promise.all(started.splice(0));
  }
  await Promise.all(started);
  console.log(JSON.stringify({ met, ...counters() }));
}
