// Observations that the benches plan for: the bundled examples, or a directory of scenarios given with --data.

import { observationFromWindow, readScenarios } from '../dist/index.js';

const kExamples = new URL('../examples', import.meta.url).pathname;

/** Value after `--name` on the command line, or the fallback. */
export function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

export const flag = (name) => process.argv.includes(`--${name}`);

/** Up to `count` observations, spread evenly over the windows (of the split, where given). */
export async function observations(count) {
  const data = await readScenarios(option('data', kExamples));
  const split = option('split', undefined);
  const windows = data.windows.filter((w) => split === undefined || w.split === split);
  const every = Math.max(1, windows.length / count);
  const picked = [];
  for (let i = 0; i < windows.length && picked.length < count; i += every) {
    picked.push(observationFromWindow(windows[Math.floor(i)]));
  }
  return picked;
}

/** Nearest-rank percentile of numbers. */
export function percentile(values, p) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)];
}
