import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, type VlaInput, type VlaModel, VlaPlanner, VlaTrainer } from '../lib/index.js';
import { native } from '../lib/native.js';
import { JanusFolder } from './support/janus-folder.js';
import { rejectionCode } from './support/reference.js';

const folder = new JanusFolder();
const kVocab = 90;
const kTokens = 16;
const kPrefix = 12;
let directory: string;
let model: VlaModel;

beforeAll(async () => {
  directory = await folder.tiny({ dtype: 'f32' });
  model = await loadModel(directory, {
    device: 'cpu',
    maxTokens: 20,
    numeric: { begin: 50, end: 80 },
  });
});
afterAll(async () => {
  await model.close();
  folder.remove();
});

/** One image of 9 tokens between text. */
function input(change: Partial<VlaInput> = {}): VlaInput {
  return {
    ids: Int32Array.from({ length: kTokens }, (_, i) => (i * 37) % kVocab),
    imageMask: Uint8Array.from({ length: kTokens }, (_, i) => (i >= 2 && i < 11 ? 1 : 0)),
    pixels: Float32Array.from({ length: 3 * 12 * 12 }, (_, i) => Math.sin(i)),
    mask: 'prefix',
    prefixRows: kPrefix,
    ...change,
  };
}
const positions = [kPrefix, kPrefix + 2];

describe('a model', () => {
  it('says what it is', () => {
    expect(model).toMatchObject({ vocab: kVocab, device: 'cpu', precision: 'fp32', threads: 1 });
    expect(model.workspaceBytes()).toBeGreaterThan(10_000);
  });

  it('gives logits of the rows asked for, shifted by one', async () => {
    const all = await model.forward({ ...input(), hidden: true, vision: true });
    expect(all.logits).toHaveLength(kTokens * kVocab);
    expect(all.hidden).toHaveLength(kTokens * 16);
    expect(all.features).toHaveLength(9 * 8);
    expect(all.aligned).toHaveLength(9 * 16);
    expect([...all.logits.slice(0, kVocab)].every((v) => v === 0)).toBe(true);
    const rows = [13, 0, 5];
    const some = await model.forward({ ...input(), rows });
    expect(some.hidden).toBeUndefined();
    for (const [i, row] of rows.entries()) {
      expect(some.logits.slice(i * kVocab, (i + 1) * kVocab)).toEqual(
        all.logits.slice(row * kVocab, (row + 1) * kVocab),
      );
    }
  });

  it('sees images, masks and tokens', async () => {
    const logits = async (change: Partial<VlaInput>) =>
      (await model.forward({ ...input(change), rows: [kTokens - 1] })).logits;
    const base = await logits({});
    expect(await logits({})).toEqual(base);
    const pixels = new Float32Array(3 * 12 * 12);
    for (const change of [
      { pixels },
      { mask: 'causal' },
      { mask: 'full' },
      { prefixRows: 3 },
    ] as const) {
      expect(await logits(change), JSON.stringify(Object.keys(change))).not.toEqual(base);
    }
    // What ids say at image positions is not read.
    const ids = Int32Array.from(input().ids, (id, i) => (i >= 2 && i < 11 ? -5 : id));
    expect(await logits({ ids })).toEqual(base);
  });

  it('runs text without images', async () => {
    const { logits } = await model.forward({ ids: [1, 2, 3], rows: [2] });
    expect([...logits].every(Number.isFinite)).toBe(true);
  });

  it('gives the same bits on several threads and from shards, and near ones from narrow weights', async () => {
    const want = (await model.forward(input())).logits;
    const sharded = await folder.tiny({ dtype: 'f32', shards: 3 });
    const narrow = { bf16: 0.05, int8: 0.15 } as const;
    const others = [
      await loadModel(sharded, { device: 'cpu', threads: 3, maxTokens: 20 }),
      await loadModel(directory, { device: 'cpu', precision: 'bf16', maxTokens: 20 }),
      await loadModel(directory, { device: 'cpu', precision: 'int8', maxTokens: 20 }),
    ];
    const [same, ...rounded] = await Promise.all(others.map((other) => other.forward(input())));
    expect(same!.logits).toEqual(want);
    const size = Math.hypot(...want);
    for (const [i, limit] of Object.values(narrow).entries()) {
      const error = Math.hypot(...rounded[i]!.logits.map((v, k) => v - want[k]!));
      expect(error / size).toBeLessThan(limit);
    }
    await Promise.all(others.map((other) => other.close()));
  });
});

describe('sampling', () => {
  it('is repeatable, and a kept prefix changes nothing', async () => {
    const request = { ...input(), positions, steps: 4, seed: 5, rule: 'integrated' } as const;
    const first = await model.sample(request);
    expect(first.states).toHaveLength(8);
    expect(first.final).toEqual(first.x1.slice(6));
    expect(first.timing.stepMs).toHaveLength(4);
    expect(first.timing.prefixMs).toBeGreaterThan(0);
    const again = await model.sample({ ...request, keepPrefix: false });
    expect(again.timing.prefixMs).toBe(0);
    expect({ ...again, timing: 0 }).toEqual({ ...first, timing: 0 });
    expect((await model.sample({ ...request, seed: 6 })).states).not.toEqual(first.states);
  });

  it('stays in its range', async () => {
    const range = { begin: 50, end: 80 };
    const { states, x1 } = await model.sample({ ...input(), positions, range, steps: 3 });
    for (const token of [...states, ...x1]) {
      expect(token).toBeGreaterThanOrEqual(50);
      expect(token).toBeLessThan(80);
    }
    // The released rule: nothing moves in the first step.
    expect(states.slice(2, 4)).toEqual(states.slice(0, 2));
  });

  it('refuses what does not fit', async () => {
    const code = (change: object) =>
      rejectionCode(model.sample({ ...input(), positions, ...change }));
    expect(await code({})).toBe('no error');
    expect(await code({ positions: [] })).toBe('ERR_SHAPE');
    expect(await code({ positions: [13, 12] })).toBe('ERR_RANGE');
    expect(await code({ positions: [4] })).toBe('ERR_RANGE');
    expect(await code({ positions: [0.5] })).toBe('ERR_ARGUMENT');
    expect(await code({ range: { begin: 50, end: 91 } })).toBe('ERR_RANGE');
    expect(await code({ steps: 0 })).toBe('ERR_RANGE');
    expect(await code({ rule: 'other' })).toBe('ERR_ARGUMENT');
    expect(await code({ x0: [1] })).toBe('ERR_SHAPE');
    expect(await code({ schedule: { a: -1, c: 3 } })).toBe('ERR_CONFIG');
    expect(await code({ uniforms: { jump: new Float32Array(3) } })).toBe('ERR_SHAPE');
    expect(await code({ temperature: Number.NaN })).toBe('ERR_NOT_FINITE');
  });
});

describe('bad input', () => {
  it.each([
    ['an id beyond the table', { ids: new Int32Array(kTokens).fill(kVocab) }, 'ERR_RANGE'],
    ['a negative id', { ids: new Int32Array(kTokens).fill(-1) }, 'ERR_RANGE'],
    ['ids that are no integers', { ids: new Array(kTokens).fill(0.5) }, 'ERR_ARGUMENT'],
    ['no ids', { ids: [], imageMask: [] }, 'ERR_RANGE'],
    [
      'too many tokens',
      { ids: new Int32Array(10_000), imageMask: new Uint8Array(10_000) },
      'ERR_RANGE',
    ],
    ['a mask of another length', { imageMask: new Uint8Array(3) }, 'ERR_SHAPE'],
    ['more image rows than images', { imageMask: new Uint8Array(kTokens).fill(1) }, 'ERR_SHAPE'],
    ['fewer', { imageMask: new Uint8Array(kTokens) }, 'ERR_SHAPE'],
    ['part of an image', { pixels: new Float32Array(431) }, 'ERR_SHAPE'],
    ['too many images', { pixels: new Float32Array(864) }, 'ERR_RANGE'],
    [
      'a pixel that is no number',
      { pixels: new Float32Array(432).fill(Number.NaN) },
      'ERR_NOT_FINITE',
    ],
    ['pixels of another type', { pixels: new Uint8Array(432) }, 'ERR_ARGUMENT'],
    ['an unknown mask', { mask: 'half' }, 'ERR_ARGUMENT'],
    ['a prefix of nothing', { prefixRows: 0 }, 'ERR_RANGE'],
    ['a prefix beyond the end', { prefixRows: 17 }, 'ERR_RANGE'],
    ['a row beyond the end', { rows: [16] }, 'ERR_RANGE'],
    ['a negative row', { rows: [-1] }, 'ERR_RANGE'],
  ] as const)('%s', async (_, change, code) => {
    expect(await rejectionCode(model.forward({ ...input(), ...(change as object) }))).toBe(code);
  });

  it('is refused at loading too', async () => {
    expect(await rejectionCode(loadModel(`${directory}/nowhere`))).toBe('ERR_CHECKPOINT_NOT_FOUND');
    expect(await rejectionCode(loadModel(directory, { threads: 0 }))).toBe('ERR_RANGE');
    const numeric = { begin: 80, end: 91 };
    expect(await rejectionCode(loadModel(directory, { numeric }))).toBe('ERR_RANGE');
    expect(await rejectionCode(loadModel(directory, { colour: 1 } as object))).toBe('ERR_ARGUMENT');
  });
});

describe('a call', () => {
  it('can be aborted, before it runs and while it waits', async () => {
    const gone = AbortSignal.abort(new Error('not now'));
    await expect(model.forward({ ...input(), signal: gone })).rejects.toThrow('not now');
    const controller = new AbortController();
    const { signal } = controller;
    // Thousands of steps: the first call runs, the second waits.
    const long = { ...input(), positions, steps: 4096, signal };
    const calls = [model.sample(long), model.sample(long)];
    setTimeout(() => controller.abort(new Error('enough')), 5);
    const results = await Promise.allSettled(calls);
    const reasons = results.map((r) => (r.status === 'rejected' ? r.reason.message : 'done'));
    expect(reasons).toEqual(['enough', 'enough']);
    await expect(model.forward(input())).resolves.toBeDefined();
  });

  it('rejects when the model is closed', async () => {
    const before = native().counters();
    const short = await loadModel(directory, { device: 'cpu', maxTokens: 20 });
    const pending = rejectionCode(short.forward(input()));
    const closed = short.close();
    expect(['ERR_CLOSED', 'no error']).toContain(await pending);
    await closed;
    await short.close();
    expect(await rejectionCode(short.forward(input()))).toBe('ERR_CLOSED');
    expect(short.workspaceBytes()).toBe(0);
    expect(native().counters().threads).toBe(before.threads);
  });
});

describe('training', () => {
  it('lowers the loss of what it sees, and touches nothing else', async () => {
    const sizes = { hidden: 32, mlp: 48, heads: 2, kvHeads: 1, visionWidth: 16 };
    const trainer = await VlaTrainer.load(await folder.tiny({ dtype: 'f32', sizes }), {
      trainable: 'language',
      maxTokens: 20,
      device: 'cpu',
    });
    const table = 'language_model.model.embed_tokens.weight';
    const [before] = await trainer.weights([table]);
    const { signal: _, ...sequence } = input();
    const counted = Uint8Array.from({ length: kTokens }, (_, i) => (i >= kPrefix ? 1 : 0));
    const batch = [{ ...sequence, targets: sequence.ids, counted }];
    const first = await trainer.step(batch, 0);
    expect(await trainer.step(batch, 0)).toEqual(first);
    for (let k = 0; k < 20; k += 1) await trainer.step(batch, 0.01);
    expect((await trainer.step(batch, 0)).loss).toBeLessThan(first.loss / 2);
    expect((await trainer.weights([table]))[0]!.data).toEqual(before!.data);
    expect(await rejectionCode(trainer.step([], 0))).toBe('ERR_RANGE');
    const none = [{ ...batch[0]!, counted: new Uint8Array(kTokens) }];
    expect(await rejectionCode(trainer.step(none, 0))).toBe('ERR_ARGUMENT');
    expect(await rejectionCode(trainer.weights(['nothing']))).toBe('ERR_ARGUMENT');
    await trainer.close();
    expect(await rejectionCode(trainer.step(batch, 0))).toBe('ERR_CLOSED');
  });

  it('trains tensors of every part, and refuses those that the model has not', async () => {
    const sizes = { hidden: 32, mlp: 48, heads: 2, kvHeads: 1, visionWidth: 16 };
    const directory = await folder.tiny({ dtype: 'f32', sizes });
    const trainable = ['aligner.layers.0.weight'];
    const trainer = await VlaTrainer.load(directory, { trainable });
    expect(trainer.trainable).toEqual(trainable);
    await trainer.close();
    const none = VlaTrainer.load(directory, { trainable: ['aligner.layers.9.weight'] });
    expect(await rejectionCode(none)).toBe('ERR_CONFIG');
  });
});

describe('a planner over the numeric rows', () => {
  const numbers = { firstId: 50, min: -1, max: 1.9, decimals: 1 };
  const prompt = () => {
    const { ids, imageMask, pixels } = input();
    return {
      ids: ids.slice(0, kPrefix),
      imageMask: (imageMask as Uint8Array).slice(0, kPrefix),
      pixels: pixels!,
    };
  };

  it.each(['full', 'prefix'] as const)('plans in a fixed form under the mask %s', async (mask) => {
    const answer = { leadId: 3, separatorId: 4, endId: 5, waypoints: 2 };
    const planner = await VlaPlanner.load(directory, {
      numbers,
      answer,
      mask,
      device: 'cpu',
      maxTokens: 40,
    });
    expect(planner).toMatchObject({ waypoints: 2, coordinates: 2 });
    const plan = await planner.plan(prompt(), { steps: 3, seed: 2 });
    expect(plan.trajectory).toHaveLength(4);
    expect(plan.refinements).toHaveLength(3);
    expect(plan.refinements[2]).toEqual(plan.trajectory);
    for (const [i, token] of plan.tokens.entries()) {
      expect(plan.trajectory[i]).toBeCloseTo(-1 + (token - 50) / 10, 5);
    }
    // What one step decodes is the argmax of a forward pass among the numeric rows.
    const one = await planner.plan(prompt(), { steps: 1, seed: 2 });
    expect(one.trajectory).toEqual(plan.refinements[0]);
    expect(await planner.plan(prompt(), { steps: 3, seed: 2 })).toMatchObject({
      tokens: plan.tokens,
    });
    const bad = { ...prompt(), imageMask: [1] };
    expect(await rejectionCode(planner.plan(bad))).toBe('ERR_SHAPE');
    await planner.close();
    expect(await rejectionCode(planner.plan(prompt()))).toBe('ERR_CLOSED');
  });

  it('refuses a table without rows for the numbers', async () => {
    const load = VlaPlanner.load(directory, { numbers: { firstId: 50 } });
    expect(await rejectionCode(load)).toBe('ERR_RANGE');
  });
});
