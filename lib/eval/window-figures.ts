import type { GroupBootstrap, Interval } from './bootstrap.js';
import type { PdmValues } from './pdm-table.js';
import { type Difference, meanOfKnown, type WindowValues } from './summary.js';

/**
 * One value a window by name; NaN where a window has none. Distances in metres, rates 0 or 1: `ade`, `fde`,
 * `collisionRate`, ... (docs/evaluation.md), and where plans were scored `pdms.score`, `pdms.noAtFaultCollisions`, ...,
 * `epdms.score`, ..., and `collisionAtFault`.
 */
export type WindowFigures = Record<string, Float64Array>;

/** A mean over windows with its 95 % interval by resampling vehicles. */
export interface Figure {
  mean: number;
  ci: Interval;
}

/** What was measured of each window, in one flat list. */
export function windowFigures(values: WindowValues, pdm?: PdmValues): WindowFigures {
  const figures: WindowFigures = {};
  for (const [name, of] of Object.entries(values)) if (of) figures[name] = of;
  if (!pdm) return figures;
  for (const version of ['pdms', 'epdms'] as const) {
    for (const [name, of] of Object.entries(pdm[version])) figures[`${version}.${name}`] = of;
  }
  figures.collisionAtFault = pdm.pdms.noAtFaultCollisions.map((score) =>
    Number.isNaN(score) ? score : score < 1 ? 1 : 0,
  );
  return figures;
}

/** Means with their intervals; figures that no window has are left out. */
export function summarize(
  figures: WindowFigures,
  bootstrap: GroupBootstrap,
): Record<string, Figure> {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, of]) => {
      const mean = meanOfKnown(of);
      return Number.isNaN(mean) ? [] : [[name, { mean, ci: bootstrap.interval(of) }]];
    }),
  );
}

/** Paired differences `figures - reference`, window by window, of what both have. */
export function figureDifferences(
  figures: WindowFigures,
  reference: WindowFigures,
  bootstrap: GroupBootstrap,
): Record<string, Difference> {
  return summarize(
    Object.fromEntries(
      Object.entries(figures).flatMap(([name, of]) => {
        const to = reference[name];
        return to ? [[name, of.map((value, i) => value - to[i]!)]] : [];
      }),
    ),
    bootstrap,
  );
}
