// Runs in an installed copy: loads the package by require and prints the plan of every shipped example.
const { dirname, join } = require('node:path');
const { observationFromWindow, Planner, readScenarios } = require('wam-flow');

async function main() {
  const home = dirname(require.resolve('wam-flow/package.json'));
  const { windows } = await readScenarios(join(home, 'examples'));
  const planner = await Planner.load('mini', { threads: 1 });
  for (const window of windows) {
    const plan = await planner.plan(observationFromWindow(window), { steps: 5, seed: 7 });
    console.log(window.id, Array.from(plan.trajectory, (value) => value.toFixed(4)).join(' '));
  }
  if (windows.length === 0) throw new Error('no examples in the package');
  await planner.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
