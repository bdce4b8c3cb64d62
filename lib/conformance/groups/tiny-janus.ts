// Whole models of a directory beside the golden file: forward passes, sampling with given uniforms, training.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KernelOptions } from '../../kernel-addon.js';
import { loadModel, type VlaModel } from '../../vla/vla-model.js';
import type { VlaMask } from '../../vla/vla-requests.js';
import { type Check, NotImplemented } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { runTinyJanusTraining } from './tiny-janus-training.js';

const kMasks: readonly VlaMask[] = ['full', 'prefix', 'causal'];

/** The sequences of a golden file. */
export interface Sequences {
  count: number;
  length: number;
  images: number;
  /** First row that is not prompt. */
  textFrom: number;
  pixels: Float32Array;
  imageMask: Int32Array;
  textMask: Int32Array;
  /** Numbers of all images of one sequence. */
  pixelsEach: number;
}

export function sequencesOf(golden: Golden): Sequences {
  const test = golden.cases.find(({ id }) => id === 'forward')!;
  const [count, length] = golden.shape(test, 'x_t') as [number, number];
  const pixels = golden.float32(test, 'pixels');
  return {
    count,
    length,
    images: golden.shape(test, 'pixels')[1]!,
    textFrom: numberOf(test.text_from, 'text_from'),
    pixels,
    pixelsEach: pixels.length / count,
    imageMask: golden.ints(test, 'image_mask'),
    textMask: golden.ints(test, 'text_mask'),
  };
}

/** Element `index` of an array of equal parts. */
export function part<T extends Int32Array | Float32Array>(array: T, index: number, size: number) {
  return array.slice(index * size, (index + 1) * size) as T;
}

/** The model's directory. */
export function directoryOf(golden: Golden): string {
  const directory = join(dirname(golden.path), golden.group);
  if (existsSync(directory)) return directory;
  throw new Error(`the model directory ${directory} is not there`);
}

async function withModel(
  golden: Golden,
  engine: KernelOptions,
  run: (model: VlaModel) => Promise<void>,
): Promise<void> {
  const { length, images } = sequencesOf(golden);
  const { threads = 1, ...device } = engine;
  const options = { ...device, device: engine.device ?? 'cpu', threads, maxTokens: length };
  const model = await loadModel(directoryOf(golden), { ...options, maxImages: images });
  try {
    await run(model);
  } finally {
    await model.close();
  }
}

async function runForward(check: Check, golden: Golden, test: GoldenCase, model: VlaModel) {
  const s = sequencesOf(golden);
  const tokens = golden.ints(test, 'x_t');
  const limit = { abs: golden.limit('logits_abs') };
  const got = new Map<string, number[]>();
  const append = (name: string, values: Float32Array) =>
    got.set(name, [...(got.get(name) ?? []), ...values]);
  for (let i = 0; i < s.count; i += 1) {
    const input = {
      ids: part(tokens, i, s.length),
      imageMask: part(s.imageMask, i, s.length),
      pixels: part(s.pixels, i, s.pixelsEach),
      prefixRows: s.textFrom,
    };
    for (const mask of kMasks) {
      const out = await model.forward({ ...input, mask, hidden: true, vision: true });
      append(`logits_${mask}`, out.logits);
      if (mask !== 'full') continue;
      append('hidden', out.hidden!);
      append('vision_features', out.features!);
      append('aligned', out.aligned!);
    }
  }
  for (const [name, values] of got) {
    check.close(name, values, golden.floats(test, name).data, limit);
  }
}

async function runSample(check: Check, golden: Golden, test: GoldenCase, model: VlaModel) {
  const s = sequencesOf(golden);
  const row = numberOf(test.batch_row ?? 0, 'batch_row');
  const sequence = golden.ints(test, 'x0');
  const mask = part(s.textMask, row, s.length);
  const moving = [...mask.keys()].filter((i) => mask[i] !== 0);
  const steps = numberOf(test.n_steps, 'n_steps');
  const drawn = test.x1_rule === 'inverse_cdf';
  const out = await model.sample({
    ids: sequence,
    imageMask: part(s.imageMask, row, s.length),
    pixels: part(s.pixels, row, s.pixelsEach),
    positions: moving,
    steps,
    x0: moving.map((i) => sequence[i]!),
    decode: drawn ? 'sample' : 'argmax',
    uniforms: {
      ...(drawn ? { posterior: golden.float32(test, 'WX') } : {}),
      jump: golden.float32(test, 'Z'),
      draw: golden.float32(test, 'W'),
    },
  });
  check.equal('states', out.states, golden.ints(test, 'states'));
  check.equal('x1', out.x1, golden.ints(test, 'x1'));
  check.equal('final', out.final, golden.ints(test, 'final'));
}

/** Runs a case of a whole model. */
export const runTinyJanus: GroupRunner = async (check, golden, test, engine) => {
  if (test.id.startsWith('train')) return runTinyJanusTraining(check, golden, test, engine);
  const run = test.id.startsWith('sample') ? runSample : test.id === 'forward' ? runForward : null;
  if (run === null) throw new NotImplemented('not implemented');
  return withModel(golden, engine, (model) => run(check, golden, test, model));
};
