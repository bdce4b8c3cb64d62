// The rows of docs/results.md: which checkpoints, and how plans are made with them.

import type { EvaluateDecode } from '../../lib/eval/planner-runs.js';
import type { Coupling, Reduce, StepRule } from '../../lib/plan-options.js';

/** How plans are made. */
export interface Mode {
  steps: number;
  decode: EvaluateDecode;
  /** Default `renoise`. */
  rule?: StepRule;
  samples: number;
  reduce: Reduce;
  /** Default `independent`. */
  coupling?: Coupling;
  /**
   * Frames of a vehicle in order, each beginning with the plan before it at this time of the path; 0: only a search looks at
   * it; null: each for itself.
   */
  warmStart: number | null;
  /** Passes of the network through its decoder rows, beside the observation's. */
  passes: number;
}

/** Models of one kind, one a training seed. */
export interface Contender {
  /** Checkpoints are `<folder>/<key>-<seed>`. */
  key: string;
  /** Instead: the mean of the weights of these contenders' models of the seed. */
  averages?: readonly string[];
  title: string;
  modes: readonly Mode[];
}

/** Training seeds of every contender. */
export const kSeeds = [1, 2, 3] as const;

/** A plan by itself, of one sample. */
export const plain = { samples: 1, reduce: 'first', warmStart: null } as const;
/** ... of a parallel decoder. */
export const flow = (decode: EvaluateDecode, steps: number): Mode => ({
  ...plain,
  decode,
  steps,
  passes: steps,
});

/** The draws of a sample with one random number a coordinate. */
export const comonotone = (mode: Mode): Mode => ({ ...mode, coupling: 'comonotone' });

/** Decoding modes of every parallel decoder of tokens. */
const kFlowModes = [
  flow('median', 1),
  flow('median', 5),
  flow('sample', 1),
  flow('sample', 3),
  flow('sample', 5),
  flow('sample-median', 5),
  comonotone(flow('sample', 1)),
];
const kSlots = 24;
const kSearched = 16;
/** Passes of a search: the posterior of the mask tokens stands for all samples in the first step. */
export const searched = (steps: number, warmStart: number | null, samples = kSearched): Mode => ({
  steps,
  decode: 'sample',
  samples,
  reduce: 'search',
  warmStart,
  passes: warmStart ? 1 + samples * steps : 1 + samples * (steps - 1),
});

/** Time of the path at which plans begin with the one before; chosen on windows of split train. */
const kWarmTime = 0.1;
const kWarmModes = [flow('median', 3), { ...flow('median', 3), warmStart: kWarmTime }];
/** Searches, alone and with the plan before as a candidate. */
const kSearches = [null, 0].flatMap((warm) => [searched(5, warm), comonotone(searched(1, warm))]);

/** What is compared, in the order of the table. */
export const kContenders: readonly Contender[] = [
  { key: 'regression', title: 'regression', modes: [flow('median', 1)] },
  {
    key: 'autoregressive',
    title: 'autoregressive',
    modes: [
      ...(['median', 'argmax', 'sample'] as const).map((decode) => ({
        ...plain,
        decode,
        steps: 1,
        passes: kSlots,
      })),
      comonotone({ ...plain, decode: 'sample', steps: 1, passes: kSlots }),
      { ...searched(1, null), passes: kSlots * kSearched },
      comonotone({ ...searched(1, null), passes: kSlots * kSearched }),
    ],
  },
  {
    key: 'diffusion',
    title: 'diffusion (DDIM)',
    modes: [
      flow('median', 1),
      flow('median', 5),
      flow('sample', 2),
      flow('sample', 5),
      flow('sample', 10),
      comonotone(flow('sample', 2)),
      { ...searched(2, null), passes: 2 * kSearched },
      comonotone({ ...searched(2, null), passes: 2 * kSearched }),
    ],
  },
  {
    key: 'mixture',
    title: 'mixture flow',
    modes: [...kFlowModes, ...kSearches],
  },
  { key: 'flow', title: 'metric flow', modes: [...kFlowModes, ...kSearches] },
  { key: 'distilled', title: 'metric flow, distilled', modes: kFlowModes },
  { key: 'aligned', title: 'metric flow, aligned', modes: [...kFlowModes, searched(5, null)] },
  {
    key: 'averaged',
    averages: ['flow', 'aligned'],
    title: 'metric flow, averaged',
    modes: [...kFlowModes, ...kWarmModes, ...kSearches],
  },
];

/** The bundled model before and after alignment: one model each, trained longer. */
export const kBundled: readonly Contender[] = [
  { key: 'mini-supervised', title: 'mini, supervised', modes: kFlowModes },
  {
    key: 'mini',
    title: 'mini, aligned, averaged',
    modes: [...kFlowModes, ...kWarmModes, ...kSearches],
  },
];

/** A mode in words. */
export function describeMode(mode: Mode): string {
  const { steps, decode, rule, coupling, samples, reduce, warmStart } = mode;
  const parts = [decode, `${steps} ${steps === 1 ? 'step' : 'steps'}`];
  if (rule) parts.push(rule);
  if (coupling === 'comonotone') parts.push(coupling);
  if (samples > 1)
    parts.push(reduce === 'search' ? `search of ${samples}` : `${reduce} of ${samples}`);
  if (warmStart !== null) parts.push(warmStart === 0 ? 'plan before' : 'warm start');
  return parts.join(', ');
}
