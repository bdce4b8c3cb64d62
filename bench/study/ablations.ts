// One thing changed at a time: what is trained for each variant, and how its plans are made.

import type { TrainOptions } from '../../lib/train/options.js';
import { kBackbone } from './recipes.js';
import { comonotone, flow, type Mode, searched } from './rows.js';

/** Options of a run but for where it reads and writes. */
type Run =
  | Omit<Extract<TrainOptions, { stage: 'sft' }>, 'data' | 'output'>
  | Omit<Extract<TrainOptions, { stage: 'align' }>, 'data' | 'output' | 'model'>
  | Omit<Extract<TrainOptions, { stage: 'tokenizer' }>, 'output'>;

/** A variant: a checkpoint that exists, or runs one after the other, each starting from the weights of the one before. */
export interface Variant {
  name: string;
  /** Folder of a model that exists. */
  checkpoint?: string;
  /** Instead: the mean of the weights of models that exist. */
  average?: { checkpoints: readonly string[]; weights: readonly number[] };
  runs?: readonly Run[];
  modes: readonly Mode[];
}

export interface Ablation {
  about: string;
  variants: (updates: number, seed: number) => readonly Variant[];
}

const kModes = [flow('median', 1), flow('sample', 1), flow('sample', 5)];

type Overrides = Record<string, unknown>;

function trained(
  updates: number,
  seed: number,
  name: string,
  model: Overrides,
  train: Overrides = {},
): Variant {
  const run = { stage: 'sft', model: { ...kBackbone, ...model }, steps: updates, seed, ...train };
  return { name, runs: [run as Run], modes: kModes };
}

function aligned(name: string, updates: number, seed: number, train: Overrides): Variant {
  const run = { stage: 'align', steps: updates, seed, ...train };
  return { name, checkpoint: 'bench/checkpoints/flow-1', runs: [run as Run], modes: kModes };
}

const supervised = (modes: readonly Mode[]): Variant => ({
  name: 'flow-1',
  checkpoint: 'bench/checkpoints/flow-1',
  modes,
});

/** By name: `npm run ablations -- NAME`. */
export const kAblations: Readonly<Record<string, Ablation>> = {
  steps: {
    about: 'refinement steps',
    variants: () => [
      supervised([1, 2, 3, 5, 10].flatMap((n) => [flow('median', n), flow('sample', n)])),
    ],
  },
  rule: {
    about: "how a step moves: anew from the path, by the integrated rate, by the released code's",
    variants: () => [
      supervised(
        (['renoise', 'integrated', 'released'] as const).flatMap((rule) =>
          [2, 5].map((n): Mode => ({ ...flow('sample', n), rule })),
        ),
      ),
    ],
  },
  k: {
    about: 'samples that a search chooses among',
    variants: () => [
      supervised([flow('median', 1), ...[1, 4, 16, 64].map((count) => searched(5, null, count))]),
    ],
  },
  grpo: {
    about: 'alignment',
    variants: () => [
      supervised(kModes),
      { ...supervised(kModes), name: 'aligned-1', checkpoint: 'bench/checkpoints/aligned-1' },
    ],
  },
  coupling: {
    about: 'draws of a sample with a random number each, or one a coordinate',
    variants: () => [
      supervised(
        [
          flow('sample', 1),
          flow('sample', 2),
          flow('sample', 5),
          searched(1, null),
          searched(5, null),
        ].flatMap((mode) => [mode, comonotone(mode)]),
      ),
    ],
  },
  average: {
    about: 'share of the aligned model in the mean of its weights with those it started from',
    variants: () =>
      [0, 0.25, 0.5, 0.75, 1].map((share) => ({
        name: `aligned-share-${share}`,
        average: {
          checkpoints: ['bench/checkpoints/flow-1', 'bench/checkpoints/aligned-1'],
          weights: [1 - share, share],
        },
        modes: [...kModes, comonotone(flow('sample', 1))],
      })),
  },
  path: {
    about: 'metric path against mixture paths',
    variants: (updates, seed) => [
      trained(updates, seed, 'metric', {}),
      trained(updates, seed, 'mixture-uniform', { path: { kind: 'mixture' } }),
      trained(updates, seed, 'mixture-mask', { path: { kind: 'mixture', source: 'mask' } }),
    ],
  },
  triplet: {
    about: 'the triplet-trained table as token features and as metric',
    variants: (updates, seed) => {
      const table = { stage: 'tokenizer', seed } as Run;
      const withTable = (name: string, model: Overrides): Variant => {
        const variant = trained(updates, seed, name, model);
        return { ...variant, runs: [table, ...variant.runs!] };
      };
      return [
        trained(updates, seed, 'fixed-features', {}),
        withTable('table-features', { numeric: { features: 'table' } }),
        withTable('table-metric', { path: { metric: 'table', power: 1 } }),
      ];
    },
  },
  mask: {
    about:
      'prefix mask against full attention, one copy each and with the copies that the prefix mask allows',
    variants: (updates, seed) => [
      trained(updates, seed, 'prefix-3-copies', {}),
      trained(updates, seed, 'prefix-1-copy', {}, { copies: 1 }),
      trained(updates, seed, 'full-1-copy', { attention_mask: 'full' }, { copies: 1 }),
    ],
  },
  init: {
    about: 'adapted from an autoregressive model against from scratch, the same updates in all',
    variants: (updates, seed) => {
      const half = Math.round(updates / 2);
      const [causal] = trained(half, seed, '', {}, { decoder: 'autoregressive' }).runs!;
      return [
        trained(updates, seed, 'from-scratch', {}),
        {
          name: 'from-causal',
          runs: [causal!, { stage: 'sft', decoder: 'flow', steps: updates - half, seed } as Run],
          modes: kModes,
        },
      ];
    },
  },
  group: {
    about: 'plans of a scene that alignment compares',
    variants: (updates, seed) =>
      [2, 3, 4, 8, 16].map((group) => aligned(`group-${group}`, updates, seed, { group })),
  },
  reward: {
    about: 'weights of the reward, TTC : EP : comfort',
    variants: (updates, seed) =>
      [
        [5, 5, 2],
        [20, 5, 2],
        [5, 20, 2],
        [5, 5, 8],
      ].map(([ttc, progress, comfort]) =>
        aligned(`reward-${ttc}-${progress}-${comfort}`, updates, seed, {
          weights: { ttc, progress, comfort, lane: 0 },
        }),
      ),
  },
  estimator: {
    about: 'what stands for the log-probability of a plan in alignment',
    variants: (updates, seed) =>
      (['chain', 'last', 'one_shot'] as const).map((estimator) =>
        aligned(`estimator-${estimator}`, updates, seed, { estimator }),
      ),
  },
};
