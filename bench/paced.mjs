// Latency of a planner that is asked at 10, 20 or 50 Hz while other work fills the gaps, against calls back to back.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Planner } from '../dist/index.js';
import { observations } from './observations.mjs';
import { flag, option, percentile } from './options.mjs';

const kRates = [10, 20, 50];
const kGapFloats = 2 ** 20; // 4 MiB: more than the second-level cache of a core

/** What a program does between two plans: JavaScript objects made and dropped, and memory swept. */
function otherWork(memory, untilMs) {
  let sum = 0;
  do {
    for (let i = 0; i < memory.length; i += 16) sum += memory[i]++;
    for (let i = 0; i < 2000; i++) sum += JSON.stringify({ id: i, at: [i, sum % 7] }).length;
  } while (performance.now() < untilMs);
  return sum;
}

/** Microseconds of one call, and of what is beyond the engine's own time. */
async function timed(planner, input, async) {
  const began = performance.now();
  const { timing } = async ? await planner.plan(input) : planner.planSync(input);
  const us = (performance.now() - began) * 1000;
  return { us, beyond: us - timing.featuresUs - timing.prefixUs - timing.stepsUs };
}

const stats = (us) => ({ p50Us: percentile(us, 50), p99Us: percentile(us, 99), calls: us.length });

/**
 * Rounds of one second: back to back, then each rate, for planSync and plan in turn, so that all see the same machine. In the
 * gaps the calling thread works: a busy event loop that never lets the core sleep. `idle` waits by a timer instead.
 */
export async function benchPaced(report) {
  const rounds = Number(option('rounds', 4));
  const inputs = await observations(64);
  const memory = new Float32Array(kGapFloats);
  for (const threads of [1, 2]) {
    const planner = await Planner.load(option('model', 'mini'), {
      threads,
      spin: !flag('no-spin'),
    });
    const rows = new Map();
    const add = (name, result) => {
      if (!rows.has(name)) rows.set(name, { us: [], beyond: [] });
      rows.get(name).us.push(result.us);
      rows.get(name).beyond.push(result.beyond);
    };
    let next = 0;
    const input = () => inputs[next++ % inputs.length];
    for (let i = 0; i < 200; i++) await timed(planner, input(), i % 2 === 1);
    for (let round = 0; round < rounds; round++) {
      for (const call of ['planSync', 'plan']) {
        for (let i = 0; i < 100; i++) {
          add(`${call}, back to back`, await timed(planner, input(), call === 'plan'));
        }
        for (const hz of kRates) {
          for (const gap of ['working', 'idle']) {
            let due = performance.now();
            for (let i = 0; i < hz / 2; i++) {
              due += 1000 / hz;
              if (gap === 'working') otherWork(memory, due - 1);
              else await new Promise((done) => setTimeout(done, due - performance.now()));
              add(
                `${call}, ${hz} Hz, ${gap} between`,
                await timed(planner, input(), call === 'plan'),
              );
            }
          }
        }
      }
    }
    for (const [name, { us, beyond }] of rows) {
      const reference = rows.get(`${name.split(',')[0]}, back to back`).us;
      report({
        bench: `paced: ${name}`,
        threads,
        ...stats(us),
        beyondEngineP50Us: percentile(beyond, 50),
        ratioP50: percentile(us, 50) / percentile(reference, 50),
      });
    }
    await planner.close();
  }
}

/** Several processes that plan without pause at once: throughput together, latency of each call. */
export async function benchCrowd(report) {
  const seconds = Number(option('seconds', 2));
  for (const [processes, threads, spin] of [
    [1, 1, true],
    [4, 1, true],
    [1, 2, true],
    [1, 2, false],
    [4, 2, true],
    [4, 2, false],
  ]) {
    const children = Array.from({ length: processes }, () =>
      fork(fileURLToPath(import.meta.url), [JSON.stringify({ threads, spin, seconds })], {
        env: { ...process.env, WAM_FLOW_BENCH_CHILD: '1' },
      }),
    );
    const messages = () =>
      Promise.all(children.map((c) => new Promise((r) => c.once('message', r))));
    await messages();
    const results = messages();
    for (const child of children) child.send('go');
    const us = (await results).flat();
    report({
      bench: `${processes} process${processes > 1 ? 'es' : ''} at once, planSync`,
      threads,
      spin,
      plansPerSecond: us.length / seconds,
      ...stats(us),
    });
  }
}

if (process.env.WAM_FLOW_BENCH_CHILD === '1') {
  const { threads, spin, seconds } = JSON.parse(process.argv[2]);
  const inputs = await observations(16);
  const planner = await Planner.load('mini', { threads, spin });
  for (let i = 0; i < 200; i++) planner.planSync(inputs[i % inputs.length]);
  process.send('ready');
  await new Promise((go) => process.once('message', go));
  const us = [];
  const end = performance.now() + seconds * 1000;
  for (let i = 0; performance.now() < end; i++) {
    const began = performance.now();
    planner.planSync(inputs[i % inputs.length]);
    us.push((performance.now() - began) * 1000);
  }
  process.send(us, () => process.disconnect());
  await planner.close();
}
