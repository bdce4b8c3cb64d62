// Ends 100 workers in the middle of their work, several at once, and prints what is left in the process.
// Arguments: checkpoint folder.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { counters, loadCheckpoint, observation, Planner, slow } from './common.mjs';

// When a worker dies: while it loads, makes its engine or queues plans; in a plan that has begun; by its own exit right
// after it has asked for engines.
const ways = ['early', 'in a plan', 'exit'];

if (isMainThread) {
  await storm(process.argv[2]);
} else if (ways[workerData.number % 3] === 'exit') {
  const checkpoint = await loadCheckpoint(workerData.directory);
  for (let i = 0; i < 4; i++) {
    Planner.fromCheckpoint(checkpoint, { threads: 1 + (i % 2), maxSamples: 2 });
  }
  process.exit();
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
  parentPort.postMessage('in a plan');
  for await (const _ of running);
}

async function storm(directory) {
  const met = { loading: 0, 'in a plan': 0, exit: 0 };
  let batch = [];
  for (let number = 0; number < 100; number++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { directory, number } });
    worker.on('message', (where) => {
      met[where]++;
      if (where === 'in a plan') worker.terminate();
      else if (ways[number % 3] === 'early')
        setTimeout(() => worker.terminate(), (number / 3) % 12);
    });
    batch.push(
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('exit', () => {
          if (ways[number % 3] === 'exit') met.exit++;
          resolve();
        });
      }),
    );
    if (batch.length === 4) {
      await Promise.all(batch);
      batch = [];
    }
  }
  await Promise.all(batch);
  console.log(JSON.stringify({ ...met, ...counters() }));
}
