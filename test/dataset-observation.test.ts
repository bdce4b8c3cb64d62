// What training sees of a window must be what a planner is given of it: the engine's own observation of a data set against
// the one that TypeScript packs.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { native } from '../lib/native.js';
import { ObservationPacker } from '../lib/pack-observation.js';
import { buildNativeDataset } from '../lib/scenario/native-dataset.js';
import { observationFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';

const kDriving = '../shared/driving-data';

/** Lane and light pairs in ascending order of lanes. */
function lights(lanes: Int32Array, from: number): number[][] {
  const pairs: number[][] = [];
  for (let i = from; i < lanes.length; i += 2) pairs.push([lanes[i]!, lanes[i + 1]!]);
  return pairs.sort((a, b) => a[0]! - b[0]!);
}

async function compare(path: string, every: number): Promise<number> {
  const { recordings, windows } = await readScenarios(path);
  const { dataset } = await buildNativeDataset(
    { recordings: [...recordings.values()], windows },
    { cut: false },
  );
  const packer = new ObservationPacker();
  let compared = 0;
  for (let i = 0; i < windows.length; i += every) {
    packer.clear();
    packer.add(observationFromWindow(windows[i]!), 'observation');
    const [metaSize, valuesSize, lanesSize] = packer.sizes;
    const theirs = native().datasetObservation(dataset, i);
    const meta = packer.meta.slice(0, metaSize);
    expect([...meta]).toEqual([...theirs.meta]);
    const values = packer.values.slice(0, valuesSize);
    expect(values.length).toBe(theirs.values.length);
    let worst = 0;
    values.forEach((value, k) => {
      worst = Math.max(worst, Math.abs(value - theirs.values[k]!));
    });
    expect(worst).toBeLessThan(1e-9);
    const lanes = packer.lanes.slice(0, lanesSize);
    const route = meta[3]!;
    expect([...lanes.slice(0, route)]).toEqual([...theirs.lanes.slice(0, route)]);
    expect(lights(lanes, route)).toEqual(lights(theirs.lanes, route));
    compared++;
  }
  return compared;
}

describe('the observation of a window', () => {
  it('is the same in training and in planning: examples', async () => {
    expect(await compare('examples', 1)).toBeGreaterThan(20);
  });

  it.skipIf(!existsSync(kDriving))(
    'is the same in training and in planning: recorded traffic (skipped without ../shared)',
    async () => {
      expect(await compare(kDriving, 7)).toBeGreaterThan(500);
    },
  );
});
