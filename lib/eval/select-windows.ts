import { argumentError, WamFlowError } from '../errors.js';
import {
  kWaypointInterval,
  kWaypoints,
  type ScenarioData,
  type ScenarioWindow,
} from '../scenario/types.js';

/** Windows to evaluate, and how many of the split were left out. */
export interface Selection {
  windows: ScenarioWindow[];
  /** Their future is shorter than 4 s. */
  skipped: number;
}

/**
 * Windows of a split (or `all`) with 4 s of future. With a limit, whole vehicles evenly spread over them until there are
 * `limit` windows: neighbouring windows stay together, as extended comfort needs them.
 *
 * @throws WamFlowError `ERR_SCENARIO` when there is none; `ERR_ARGUMENT` for an impossible limit.
 */
export function selectWindows(data: ScenarioData, split: string, limit?: number): Selection {
  const ofSplit = data.windows.filter((window) => split === 'all' || window.split === split);
  const windows = ofSplit.filter(
    ({ future, recording }) => future * recording.dt >= kWaypoints * kWaypointInterval - 1e-9,
  );
  if (windows.length === 0) {
    const known = [...new Set(data.windows.map((window) => window.split))].join(', ');
    throw new WamFlowError(
      'ERR_SCENARIO',
      ofSplit.length > 0
        ? `none of the ${ofSplit.length} windows of split ${split} has 4 s of future`
        : `there is no window of split ${split}; splits here: ${known || 'none'}`,
    );
  }
  const skipped = ofSplit.length - windows.length;
  if (limit === undefined) return { windows, skipped };
  if (!Number.isInteger(limit) || limit < 1) {
    throw argumentError('limit', 'an integer from 1', limit);
  }
  return { windows: spread(windows, limit), skipped };
}

/** Vehicle of a window: windows of one overlap in time. */
export function egoKey({ ego, recording }: ScenarioWindow): string {
  return `${ego} ${recording.id}`;
}

/** Indices of the windows of each vehicle, in time. */
export function egoSequences(windows: readonly ScenarioWindow[]): number[][] {
  const sequences = new Map<string, number[]>();
  for (const [i, window] of windows.entries()) {
    const sequence = sequences.get(egoKey(window));
    if (sequence) sequence.push(i);
    else sequences.set(egoKey(window), [i]);
  }
  return [...sequences.values()].map((of) => of.sort((a, b) => windows[a].t0 - windows[b].t0));
}

function spread(windows: ScenarioWindow[], limit: number): ScenarioWindow[] {
  if (windows.length <= limit) return windows;
  const taken: number[] = [];
  let seen = 0;
  for (const sequence of egoSequences(windows)) {
    // A vehicle is taken when less than the limit's share of all windows up to it is.
    if (taken.length * windows.length <= seen * limit) {
      taken.push(...sequence.slice(0, limit - taken.length));
    }
    seen += sequence.length;
  }
  return taken.sort((a, b) => a - b).map((i) => windows[i]);
}
