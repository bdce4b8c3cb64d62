// Rows of statistics of an aligner (native/binding/align_binding.cpp) as figures of events.

import type { GroupFigures, ProbeEvent, StopRule } from './events.js';
import type { StepFigures } from './run-stage.js';

const kGroup = 12;
const kProbe = kGroup + 3;
const kHead = 10;

/** Numbers of a row. */
export const kAlignRow = kHead + kGroup + kProbe;

const kStopRules: readonly (StopRule | undefined)[] = [undefined, 'kl', 'diversity', 'adeDrift'];

/** Means over the updates of `rows`; seconds are of an update, all threads together. */
export function alignFigures(rows: Float64Array): StepFigures {
  const count = rows.length / kAlignRow;
  const mean = (column: number) => {
    let sum = 0;
    for (let row = 0; row < count; ++row) sum += rows[row * kAlignRow + column];
    return sum / count;
  };
  return {
    loss: mean(1),
    gradNorm: mean(2),
    lr: rows[(count - 1) * kAlignRow + 3],
    ...readGroup((column) => mean(kHead + column)),
    kl: mean(4),
    clipped: mean(5),
    seconds: { rollout: mean(6), judge: mean(7), update: mean(8) },
  };
}

/** The rule that the last update of `rows` ended the run by. */
export function stopRuleOf(rows: Float64Array): StopRule | undefined {
  return rows.length === 0 ? undefined : kStopRules[rows[rows.length - kAlignRow + 9]];
}

/** The probes that were made in `rows`. */
export function probesOf(rows: Float64Array): ProbeEvent[] {
  const events: ProbeEvent[] = [];
  for (let at = 0; at < rows.length; at += kAlignRow) {
    const probe = rows.subarray(at + kHead + kGroup, at + kAlignRow);
    if (!Number.isNaN(probe[0])) events.push(readProbe(probe, rows[at]));
  }
  return events;
}

/** A probe after update `step`. */
export function readProbe(row: Float64Array, step: number): ProbeEvent {
  const heldBack = row[9];
  return {
    type: 'probe',
    step,
    ...readGroup((column) => row[column]),
    ...(Number.isNaN(heldBack) ? {} : { heldBack }),
    kl: row[kGroup],
    medianReward: row[kGroup + 1],
    medianAde: row[kGroup + 2],
  };
}

function readGroup(at: (column: number) => number): GroupFigures {
  return {
    reward: at(0),
    best: at(1),
    spread: at(2),
    uneven: at(3),
    nc: at(4),
    dac: at(5),
    ttc: at(6),
    ep: at(7),
    c: at(8),
    diversity: at(10),
    ade: at(11),
  };
}
