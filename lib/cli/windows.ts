import { join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { packageRoot } from '../native.js';
import { readScenarios } from '../scenario/read.js';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';

/** Folder of the scenarios that come with the package. */
export function examplesFolder(): string {
  return join(packageRoot(), 'examples');
}

/** Reads scenarios from a file or folder; without one, the examples. */
export function readData(path: string | undefined): Promise<ScenarioData> {
  return readScenarios(path ?? examplesFolder());
}

/**
 * The windows that `choice` names: an id, an index from 0 in file order, or `all`. Without a choice the first `limit`.
 *
 * @throws WamFlowError `ERR_USAGE` when there is no such window
 */
export function selectWindows(
  data: ScenarioData,
  choice: string | undefined,
  limit: number,
): readonly ScenarioWindow[] {
  const { windows } = data;
  if (choice === undefined) return windows.slice(0, limit);
  if (choice === 'all') return windows;
  // An id wins over an index: ids may be numbers.
  const index = /^\d+$/.test(choice) ? Number(choice) : -1;
  const window = windows.find(({ id }) => id === choice) ?? windows[index];
  if (window) return [window];
  const known = windows.slice(0, 3).map(({ id }) => id);
  throw new WamFlowError(
    'ERR_USAGE',
    `--window: expected all, an index from 0 to ${windows.length - 1}, or an id such as ` +
      `${known.join(', ')}; received ${JSON.stringify(choice)}`,
  );
}
