import type { GroupBootstrap, Interval } from './bootstrap.js';
import type { FailedWindow, PdmPass } from './pdm-pass.js';
import {
  type PdmTable,
  type PdmValues,
  pdmDifferences,
  pdmIntervals,
  pdmMeans,
} from './pdm-table.js';
import type { Difference, Groups } from './summary.js';

/** PDM scores of one row: means in [0, 1], null where no window has a value. */
export interface PdmRow extends PdmTable<number | null> {
  /** 95 % intervals by resampling egos. */
  ci: PdmTable<Interval | null>;
  /** This row minus the reference row, paired by window; null for the reference itself. */
  difference: PdmTable<Difference | null> | null;
  by: { location: Record<string, PdmGroup>; manoeuvre: Record<string, PdmGroup> };
}

/** PDM scores of the windows of one group. */
export interface PdmGroup extends PdmTable<number | null> {
  /** Windows, those that could not be scored included. */
  n: number;
}

/** What the PDM scores of an evaluation come from. */
export interface PdmSummary {
  /** The rules that were computed. */
  versions: { pdms: string; epdms: string; epdmsUnfiltered: string };
  traffic: 'replay';
  /** Windows that were scored, and those of them with a window before for extended comfort. */
  n: number;
  pairs: number;
  /** Windows that no scene could be made from. */
  failed: FailedWindow[];
  /** Seconds that scoring took, setting up the scenes included. */
  seconds: number;
}

const kVersions = {
  pdms: 'NAVSIM v1.1',
  epdms: 'NAVSIM v2.2, human filter of 2025-09-29, one stage',
  epdmsUnfiltered: 'NAVSIM v2.2 without the human filter, one stage',
} as const;

/** Statistics of one row. */
export function pdmRow(
  values: PdmValues,
  reference: PdmValues | null,
  bootstrap: GroupBootstrap,
  groups: Groups,
): PdmRow {
  const windows = values.pdms.score.length;
  const byGroup = (of: ReadonlyMap<string, readonly number[]>) =>
    Object.fromEntries(
      [...of].map(([name, indices]) => [name, { n: indices.length, ...pdmMeans(values, indices) }]),
    );
  return {
    ...pdmMeans(
      values,
      Array.from({ length: windows }, (_, i) => i),
    ),
    ci: pdmIntervals(values, bootstrap),
    difference: reference && pdmDifferences(values, reference, bootstrap),
    by: { location: byGroup(groups.location), manoeuvre: byGroup(groups.manoeuvre) },
  };
}

/** What all rows have in common. */
export function pdmSummary({ pairs, failed, seconds }: PdmPass, windows: number): PdmSummary {
  const n = windows - failed.length;
  return { versions: kVersions, traffic: 'replay', n, pairs, failed, seconds };
}
