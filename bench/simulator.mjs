// Throughput of the simulator and the PDM score: groups of 24 trajectories, as alignment draws them, in a dense scene.

import { generateScenarios, PdmScorer, readSceneFile, sceneFromWindow } from '../dist/index.js';
import { option, percentile } from './options.mjs';

const kGroup = 24;
const kRepetitions = 21;
const kSetups = 20;

/** The window with the most objects about it, of 120 generated ones on busy roads. */
async function denseScene() {
  const file = option('scene', undefined);
  if (file !== undefined) return (await readSceneFile(file)).scene;
  const { windows } = await generateScenarios({
    windows: 120,
    seed: 5,
    kinds: ['street', 'signals'],
  });
  const scenes = windows.map((window) => sceneFromWindow(window));
  return scenes.reduce((most, scene) => (scene.agents.length > most.agents.length ? scene : most));
}

/** The recorded drive with changed speeds and courses, no two alike: poses [n, 8, 3]. */
function group(scene, n) {
  const driven = scene.humanTrajectory;
  const poses = new Float64Array(n * 24);
  for (let i = 0; i < n; ++i) {
    const speed = 0.7 + (0.6 * (i % 8)) / 7;
    const bend = 0.02 * ((i % 5) - 2) + 1e-4 * i;
    for (const [k, [x, y, heading]] of driven.entries()) {
      const turn = bend * (k + 1) * 0.25;
      poses[24 * i + 3 * k] = speed * (x * Math.cos(turn) - y * Math.sin(turn));
      poses[24 * i + 3 * k + 1] = speed * (x * Math.sin(turn) + y * Math.cos(turn));
      poses[24 * i + 3 * k + 2] = heading + turn;
    }
  }
  return poses;
}

/** Milliseconds of CPU time. */
function cpuMsOf(call) {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Milliseconds of one call by wall clock and by CPU time, each the median over repetitions of about 20 ms. */
function measure(call) {
  for (let i = 0; i < 5; ++i) call();
  const began = performance.now();
  call();
  const calls = Math.max(1, Math.round(20 / (performance.now() - began)));
  const wall = [];
  const cpu = [];
  for (let r = 0; r < kRepetitions; ++r) {
    const start = performance.now();
    const used = cpuMsOf(() => {
      for (let i = 0; i < calls; ++i) call();
    });
    wall.push((performance.now() - start) / calls);
    cpu.push(used / calls);
  }
  return { wallMs: percentile(wall, 50), cpuMs: percentile(cpu, 50) };
}

export async function benchSimulator(report) {
  const scene = await denseScene();
  const { agents, map } = scene;
  report({ bench: 'scene', id: scene.id, objects: agents.length, lanes: map.lanes.length });
  for (const version of ['v1', 'v2']) {
    const setups = [];
    for (let i = 0; i < kSetups; ++i) {
      // Another map object, so that nothing of the last set-up is used again.
      const fresh = { ...scene, map: { ...map } };
      const scorers = [];
      setups.push([0, 1].map(() => cpuMsOf(() => scorers.push(new PdmScorer(fresh, { version })))));
      for (const scorer of scorers) await scorer.close();
    }
    report({
      bench: `${version}: set-up of a scene`,
      cpuMsWithItsMap: percentile(
        setups.map(([ms]) => ms),
        50,
      ),
      cpuMsOnAKnownMap: percentile(
        setups.map(([, ms]) => ms),
        50,
      ),
    });
    for (const threads of [1, 2]) {
      const scorer = new PdmScorer(scene, { version, threads });
      for (const n of [kGroup, 64 * kGroup]) {
        const poses = group(scene, n);
        const { wallMs, cpuMs } = measure(() => scorer.scoreSync(poses));
        report({
          bench: `${version}: simulate and score ${n} trajectories`,
          threads,
          perSecond: (1000 * n) / wallMs,
          perCpuSecond: (1000 * n) / cpuMs,
        });
      }
      if (threads === 1)
        report({ bench: `${version}: memory of a scorer`, kiB: scorer.bytes / 1024 });
      await scorer.close();
    }
  }
  const scorer = new PdmScorer(scene, { traffic: 'reactive' });
  const poses = group(scene, kGroup);
  const { wallMs, cpuMs } = measure(() => scorer.scoreSync(poses));
  report({
    bench: `v2, reactive traffic: ${kGroup} trajectories`,
    threads: 1,
    perSecond: (1000 * kGroup) / wallMs,
    perCpuSecond: (1000 * kGroup) / cpuMs,
  });
  await scorer.close();
}
