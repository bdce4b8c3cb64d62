// Observations that the benches plan for: the bundled examples, or a directory of scenarios given with --data.

import { observationFromWindow, readScenarios } from '../dist/index.js';
import { option } from './options.mjs';

const kExamples = new URL('../examples', import.meta.url).pathname;

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
