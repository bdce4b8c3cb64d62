// A planner that nobody closes. Arguments: checkpoint folder, what happens:
//   idle      one plan, then nothing: the process must end by itself
//   pending   a plan that nobody awaits: it keeps the process alive and its result is printed
//   exit      process.exit in the middle of a plan
//   gc        planners that become unreachable are collected with their threads

import { setTimeout as delay } from 'node:timers/promises';
import { counters, observation, Planner, slow } from './common.mjs';

const [directory, what] = process.argv.slice(2);

async function collected() {
  for (let i = 0; i < 8; i++) {
    const planner = await Planner.load(directory);
    await planner.plan(observation);
  }
}

if (what === 'gc') {
  await collected();
  for (let i = 0; i < 100 && counters().engines > 0; i++) {
    globalThis.gc();
    await delay(10);
  }
  console.log(JSON.stringify(counters()));
} else {
  const planner = await Planner.load(directory);
  await planner.plan(observation);
  if (what === 'pending') {
    planner.plan(observation, slow).then((plan) => console.log(`steps ${plan.stepsRun}`));
  } else if (what === 'exit') {
    const running = planner.refine(observation, slow);
    const first = running.next();
    for (let i = 0; i < 4; i++) planner.plan(observation, slow);
    console.log(`step ${(await first).value.step}`);
    process.exit(0);
  }
}
