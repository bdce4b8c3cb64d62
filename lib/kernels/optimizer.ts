import { argumentError } from '../errors.js';
import { dimension, type KernelOptions, kernelAddon, kernelEngine } from '../kernel-addon.js';

/** Arguments of {@link adamw}; all arrays have one length. */
export interface AdamwInput extends KernelOptions {
  /** Weights, changed in place. */
  w: Float32Array;
  grad: Float32Array;
  /** First and second moments, changed in place; zeros at the start. */
  m: Float32Array;
  v: Float32Array;
  /** Number of this update, from 1. */
  step: number;
  lr: number;
  /** Defaults 0.9, 0.999. */
  beta1?: number;
  beta2?: number;
  /** Default 1e-8. */
  eps?: number;
  /** Decoupled: w shrinks by lr weightDecay. Default 0.01. */
  weightDecay?: number;
  /** Factor that the gradient is multiplied with first. Default 1. */
  gradScale?: number;
}

/** One update of AdamW (Loshchilov and Hutter, 2019), in place. */
export function adamw(input: AdamwInput): void {
  const { w, grad, m, v, step, lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = input;
  const { weightDecay = 0.01, gradScale = 1 } = input;
  const count = dimension('w.length', w.length);
  const args = { count, w, grad, m, v, step, lr, beta1, beta2, eps, weightDecay, gradScale };
  kernelAddon().adamw(kernelEngine(input), args);
}

/**
 * Scales gradients in place so that their common L2 norm is at most `maxNorm`: the factor is
 * min(1, maxNorm / (norm + 1e-6)), as in PyTorch. Returns the norm before.
 */
export function clipGradNorm(
  gradients: readonly Float32Array[],
  maxNorm: number,
  options: KernelOptions = {},
): number {
  if (!(maxNorm > 0)) throw argumentError('maxNorm', 'a positive number', maxNorm);
  const engine = kernelEngine(options);
  let squares = 0;
  for (const x of gradients) {
    squares += x.length > 0 ? kernelAddon().sumSquares(engine, { count: x.length, x }) : 0;
  }
  const norm = Math.sqrt(squares);
  const factor = Math.min(1, maxNorm / (norm + 1e-6));
  if (factor < 1) {
    for (const x of gradients) for (let i = 0; i < x.length; i += 1) x[i]! *= factor;
  }
  return norm;
}

/** A learning-rate schedule. */
export interface LearningRateSchedule {
  schedule: 'constant' | 'cosine';
  /** Updates of linear warm-up from 0. Default 0. */
  warmup?: number;
  /** Updates in all; the cosine reaches 0 there. */
  total: number;
}

/** Factor of the learning rate at update `step`, counted from 0. */
export function learningRateFactor(step: number, schedule: LearningRateSchedule): number {
  const { warmup = 0, total } = schedule;
  if (step < warmup) return step / Math.max(1, warmup);
  if (schedule.schedule === 'constant') return 1;
  const progress = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}
