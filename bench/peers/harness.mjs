// Times asynchronous work of a peer by the protocol of the native program (native/bench/cpu/harness.cpp).

import { flag, option } from '../options.mjs';
import { median } from '../workloads/rounds.mjs';

const kWarmUpMs = 200;
const kMostMs = 12_000;
const kMost = 400;

export const threads = Number(option('threads', 1));
const round = Number(option('round', 0));
const only = option('only', '');
const leastMs = flag('quick') ? 300 : 1000;
const least = flag('quick') ? 3 : 5;

export function wanted(workload) {
  return (
    only === '' ||
    only.split(',').some((prefix) => workload.startsWith(prefix) || prefix.startsWith(workload))
  );
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const switches = () => process.resourceUsage().involuntaryContextSwitches;
const digits = (value) => (value === null ? null : +value.toFixed(4));

/** Prints the line of `work`, whose last result `check` looks at. */
export async function time(workload, peer, gflop, work, check) {
  if (!wanted(workload)) return;
  let began = performance.now();
  let result = await work();
  if (performance.now() - began < 1000) {
    while (performance.now() - began < kWarmUpMs) result = await work();
  }
  const repetitions = [];
  began = performance.now();
  while (
    repetitions.length < kMost &&
    (performance.now() - began < leastMs || repetitions.length < least)
  ) {
    const before = switches();
    const used = cpuMs();
    const start = performance.now();
    result = await work();
    const end = performance.now();
    repetitions.push({
      wall: end - start,
      cpu: cpuMs() - used,
      undisturbed: switches() === before,
    });
    if (end - began > kMostMs && repetitions.length >= 2) break;
  }
  const wall = repetitions.map((r) => r.wall).sort((a, b) => a - b);
  const cpu = median(repetitions.map((r) => r.cpu));
  const kept = repetitions.filter((r) => r.undisturbed).map((r) => r.wall);
  const clean = kept.length >= 3 ? median(kept) : null;
  const ms = threads === 1 ? Math.min(cpu, median(wall)) : (clean ?? wall[0]);
  console.log(
    JSON.stringify({
      ...{ workload, peer, threads, round, ms: digits(ms), median_ms: digits(median(wall)) },
      p99_ms: digits(wall[Math.min(wall.length - 1, Math.floor(wall.length * 0.99))]),
      ...{ min_ms: digits(wall[0]), clean_ms: digits(clean), cpu_ms: digits(cpu) },
      reps: wall.length,
      gflops: +((gflop / ms) * 1000).toFixed(2),
      check: check(result),
    }),
  );
}
