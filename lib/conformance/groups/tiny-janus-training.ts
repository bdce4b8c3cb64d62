// Training of whole models: losses, gradients, gradient norms and what AdamW makes of the weights.

import type { KernelOptions } from '../../kernel-addon.js';
import type { NamedTensor } from '../../native.js';
import type { Trainable } from '../../vla/trainable.js';
import { VlaTrainer } from '../../vla/vla-trainer.js';
import { type Check, NotImplemented } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import { directoryOf, part, sequencesOf } from './tiny-janus.js';

const kStages: Readonly<Record<string, Trainable>> = { s1: 'embed', s2: 'language' };
const kGradient = 'grad0.';

interface Step {
  loss: number;
  grad_norm: number;
  per_parameter_grad_norm: Record<string, number> | null;
  param_abs_sum_after: Record<string, number> | null;
}

function norm({ data }: NamedTensor): number {
  return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
}

function absSum({ data }: NamedTensor): number {
  return data.reduce((sum, value) => sum + Math.abs(value), 0);
}

async function compare(
  check: Check,
  name: string,
  want: Record<string, number> | null,
  read: (names: string[]) => Promise<NamedTensor[]>,
  of: (tensor: NamedTensor) => number,
  rel: number,
): Promise<void> {
  if (want === null) return;
  const got = await read(Object.keys(want));
  check.close(name, got.map(of), Object.values(want), { rel });
}

export async function runTinyJanusTraining(
  check: Check,
  golden: Golden,
  test: GoldenCase,
  engine: KernelOptions,
): Promise<void> {
  const trainable = kStages[String(test.stage)];
  if (trainable === undefined) throw new NotImplemented(`stage ${String(test.stage)}`);
  const s = sequencesOf(golden);
  const forward = golden.cases.find(({ id }) => id === 'forward')!;
  const targets = golden.ints(forward, 'x_1');
  const inputs = golden.ints(test, 'x_t_per_step');
  const [beta1, beta2] = test.betas as [number, number];
  const { threads = 1, ...device } = engine;
  const trainer = await VlaTrainer.load(directoryOf(golden), {
    ...{ ...device, threads, trainable, beta1, beta2 },
    ...{ maxTokens: s.length, maxImages: s.images },
    weightDecay: numberOf(test.weight_decay, 'weight_decay'),
    eps: numberOf(test.eps, 'eps'),
    clip: numberOf(test.clip, 'clip'),
  });
  const gradLimit = { rel: golden.limit('grad_rel') };
  try {
    for (const [k, want] of (test.steps as Step[]).entries()) {
      const batch = Array.from({ length: s.count }, (_, i) => ({
        ids: part(inputs, k * s.count + i, s.length),
        targets: part(targets, i, s.length),
        counted: part(s.textMask, i, s.length),
        imageMask: part(s.imageMask, i, s.length),
        pixels: part(s.pixels, i, s.pixelsEach),
      }));
      const got = await trainer.step(batch, numberOf(test.lr, 'lr'));
      check.close(`loss of step ${k}`, [got.loss], [want.loss], { rel: golden.limit('loss_rel') });
      check.close(`gradient norm of step ${k}`, [got.gradNorm], [want.grad_norm], gradLimit);
      const gradients = (names: string[]) => trainer.gradients(names);
      const weights = (names: string[]) => trainer.weights(names);
      const norms = want.per_parameter_grad_norm;
      await compare(check, `norms of step ${k}`, norms, gradients, norm, gradLimit.rel);
      const sums = want.param_abs_sum_after;
      await compare(check, `weights after step ${k}`, sums, weights, absSum, gradLimit.rel);
      if (k === 0) await compareGradients(check, golden, test, trainer);
    }
  } finally {
    await trainer.close();
  }
}

/** Selected gradients of the first step, each within a part of its greatest value. */
async function compareGradients(
  check: Check,
  golden: Golden,
  test: GoldenCase,
  trainer: VlaTrainer,
): Promise<void> {
  const fields = Object.keys(test.tensors ?? {}).filter((name) => name.startsWith(kGradient));
  const names = fields.map((field) => field.slice(kGradient.length));
  const got = await trainer.gradients(names);
  for (const [i, field] of fields.entries()) {
    const want = golden.floats(test, field).data;
    const greatest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    check.close(field, got[i]!.data, want, { abs: golden.limit('grad_rel') * greatest });
  }
}
