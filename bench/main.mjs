// The bench suites.
//
//   npm run bench                               all of them, tables
//   npm run bench -- --filter sim --json        one of workloads, planner, paced, crowd, sim, kernels; one JSON line a row
//   npm run bench -- --filter workloads --only W1c,W3 --rounds 5 --long --isa avx2
//   npm run bench -- --peers                    the workloads with onnxruntime-node beside them
//   npm run bench -- --check                    the workloads against bench/baseline, or --save-baseline
//   node bench/main.mjs --peer-format --threads 1 --round 1 --only W1c --quick      the native program alone, its lines
//   npm run bench -- --data DIR --split val --calls 2000
//   npm run bench -- --filter sim --scene scene.json
//   npm run bench -- --filter kernels --precision bf16 --gpu 0       on a machine that has a GPU

import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { flag, option } from './options.mjs';

// Imported when wanted: only some need the built package.
const suites = {
  workloads: async () => (await import('./workloads/suite.mjs')).benchWorkloads,
  paced: async () => (await import('./paced.mjs')).benchPaced,
  crowd: async () => (await import('./paced.mjs')).benchCrowd,
  planner: async () => (await import('./planner.mjs')).benchPlanner,
  sim: async () => (await import('./simulator.mjs')).benchSimulator,
  kernels: async () => (await import('./kernels.mjs')).benchKernels,
};
if (flag('peer-format')) {
  const { findProgram, notBuilt } = await import('./workloads/program.mjs');
  const program = findProgram();
  if (program === undefined) throw new Error(notBuilt);
  const args = process.argv.slice(2).filter((arg) => arg !== '--peer-format');
  const at = args.indexOf('--precision');
  const [, precisions] = at < 0 ? [] : args.splice(at, 2);
  for (const precision of (precisions ?? 'fp32').split(',')) {
    const own = [...args, '--precision', precision];
    const { status } = spawnSync(program, own, { stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
  process.exit(0);
}

const workloadsAlone = ['peers', 'check', 'save-baseline'].some(flag);
const wanted = option('filter', workloadsAlone ? 'workloads' : Object.keys(suites).join(',')).split(
  ',',
);
for (const name of wanted) {
  if (!Object.hasOwn(suites, name)) {
    console.error(`--filter: expected ${Object.keys(suites).join(' or ')}, received ${name}`);
    process.exit(2);
  }
}

const rows = [];
function report(row) {
  rows.push(row);
  if (flag('json')) console.log(JSON.stringify(row));
}

for (const name of wanted) {
  const bench = await suites[name]();
  await bench(report);
}
report({
  bench: 'process',
  cpu: cpus()[0]?.model,
  node: process.version,
  peakRssMiB: process.resourceUsage().maxRSS / 1024,
});

if (!flag('json')) {
  for (const { bench, ...rest } of rows) {
    const fields = Object.entries(rest).map(
      ([key, value]) => `${key} ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}`,
    );
    console.log(`${bench.padEnd(50)} ${fields.join('  ')}`);
  }
}
