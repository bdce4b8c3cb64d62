import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttentionMask,
  attention,
  attentionBackward,
  gelu,
  geluBackward,
  headingMlp,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  patchEmbed,
  patchEmbedBackward,
  rmsNorm,
  rmsNormBackward,
  rope,
  swiglu,
  swigluBackward,
} from '../lib/kernels.js';
import { native } from '../lib/native.js';
import {
  affine,
  attentionReference,
  codeOf,
  dot,
  numericGradient,
  randomFloats,
  worstError,
} from './support/reference.js';

const engines = native()
  .cpuInfo()
  .isas.flatMap((isa) => [1, 2].map((threads) => ({ isa, threads })));

describe('attention', () => {
  const shapes = fc.record({
    batch: fc.integer({ min: 1, max: 3 }),
    length: fc.integer({ min: 1, max: 40 }),
    kvHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    headDim: fc.constantFrom(4, 8, 20, 32),
    mask: fc.constantFrom('full', 'causal', 'prefix'),
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    padded: fc.boolean(),
  });

  function setUp(shape: Parameters<Parameters<typeof shapes.map>[0]>[0]) {
    const { batch, length, kvHeads, headDim, cut } = shape;
    const heads = kvHeads * shape.group;
    const prefix = Math.floor(cut * length);
    const mask: AttentionMask = shape.mask === 'prefix' ? { prefix } : (shape.mask as 'full');
    const keyLengths = Array.from({ length: batch }, (_, b) => {
      return shape.padded ? 1 + ((b * 7 + length) % length) : length;
    });
    const visible = (b: number, i: number, j: number) => {
      if (j >= keyLengths[b]!) return false;
      if (shape.mask === 'causal') return j <= i;
      return shape.mask !== 'prefix' || i >= prefix || j < prefix;
    };
    const size = { batch, length, heads, kvHeads, headDim };
    const q = randomFloats(batch * length * heads * headDim, 1);
    const k = randomFloats(batch * length * kvHeads * headDim, 2);
    const v = randomFloats(batch * length * kvHeads * headDim, 3);
    return { input: { ...size, q, k, v, mask, keyLengths }, size, visible };
  }

  it('agrees with the full score matrix for any shape and mask', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...engines), (shape, engine) => {
        const { input, size, visible } = setUp(shape);
        const { out } = attention({ ...input, ...engine });
        const want = attentionReference(input.q, input.k, input.v, size, visible);
        expect(worstError(out, want)).toBeLessThan(5e-6);
      }),
      { numRuns: 80 },
    );
  });

  it('has the gradients that finite differences give', () => {
    for (const mask of ['full', 'causal', 'prefix'] as const) {
      const shape = {
        batch: 2,
        length: 5,
        kvHeads: 1,
        group: 2,
        headDim: 4,
        cut: 0.4,
        padded: true,
      };
      const { input, size, visible } = setUp({ ...shape, headDim: 4, mask });
      const dout = randomFloats(input.q.length, 4);
      const { q, k, v } = input;
      const loss = (a: ArrayLike<number>, b: ArrayLike<number>, c: ArrayLike<number>) =>
        dot(attentionReference(a, b, c, size, visible), dout);
      for (const engine of engines) {
        const saved = attention({ ...input, ...engine });
        const { dq, dk, dv } = attentionBackward({ ...input, ...saved, dout, ...engine });
        expect(
          worstError(
            dq,
            numericGradient((x) => loss(x, k, v), q),
          ),
        ).toBeLessThan(1e-5);
        expect(
          worstError(
            dk,
            numericGradient((x) => loss(q, x, v), k),
          ),
        ).toBeLessThan(1e-5);
        expect(
          worstError(
            dv,
            numericGradient((x) => loss(q, k, x), v),
          ),
        ).toBeLessThan(1e-5);
      }
    }
  });

  it('takes keys of another length, and writes where it is told', () => {
    const shape = { length: 2, keyLength: 3, heads: 1, headDim: 2 };
    const out = new Float32Array(4);
    const q = Float32Array.of(0, 0, 0, 0);
    const k = new Float32Array(6);
    const v = Float32Array.of(1, 2, 3, 4, 5, 9);
    expect(attention({ ...shape, q, k, v, out }).out).toBe(out);
    expect(worstError(out, [3, 5, 3, 5])).toBeLessThan(1e-6);
  });

  it('refuses arrays and masks that do not fit', () => {
    const array = new Float32Array(24);
    const input = { length: 3, heads: 2, headDim: 4, q: array, k: array, v: array };
    const run = (change: object) => codeOf(() => attention({ ...input, ...change } as never));
    expect(run({})).toBe('no error');
    expect(run({ q: new Float32Array(23) })).toBe('ERR_SHAPE');
    expect(run({ v: new Float64Array(24) })).toBe('ERR_ARGUMENT');
    expect(run({ out: new Float32Array(1) })).toBe('ERR_SHAPE');
    expect(run({ heads: 0 })).toBe('ERR_ARGUMENT');
    expect(run({ kvHeads: 3 })).toBe('ERR_ARGUMENT');
    expect(run({ mask: { prefix: 4 } })).toBe('ERR_RANGE');
    expect(run({ keyLengths: [4] })).toBe('ERR_RANGE');
    expect(run({ keyLengths: [0] })).toBe('ERR_ARGUMENT');
    expect(run({ keyLengths: [1, 1] })).toBe('ERR_SHAPE');
    expect(
      run({ mask: 'causal', keyLength: 2, k: new Float32Array(16), v: new Float32Array(16) }),
    ).toBe('ERR_SHAPE');
    expect(run({ scale: Number.NaN })).toBe('ERR_NOT_FINITE');
  });
});

/** Checks an operation of one array against its definition, and its gradient against finite differences. */
function checkGradient(
  x: Float32Array,
  got: Float32Array,
  dx: Float32Array,
  dout: Float32Array,
  definition: (x: ArrayLike<number>) => ArrayLike<number>,
) {
  expect(worstError(got, definition(x))).toBeLessThan(3e-6);
  expect(
    worstError(
      dx,
      numericGradient((at) => dot(definition(at), dout), x),
    ),
  ).toBeLessThan(2e-5);
}

describe.each(engines)('operations on $isa with $threads threads', (engine) => {
  it('norms', () => {
    const cols = 19;
    const x = randomFloats(3 * cols, 1, 3);
    const weight = randomFloats(cols, 2);
    const bias = randomFloats(cols, 3);
    const dout = randomFloats(3 * cols, 4);
    const definition = (centred: boolean, w: ArrayLike<number>) => (at: ArrayLike<number>) =>
      Float64Array.from(at, (_, i) => {
        const row = Array.from({ length: cols }, (_, c) => at[i - (i % cols) + c]!);
        const mean = centred ? row.reduce((a, b) => a + b, 0) / cols : 0;
        const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / cols;
        const unit = (at[i]! - mean) / Math.sqrt(variance + 1e-5);
        return unit * w[i % cols]! + (centred ? bias[i % cols]! : 0);
      });
    const { out, ...saved } = layerNorm({ x, weight, bias, ...engine });
    const layer = layerNormBackward({ x, weight, ...saved, dout, ...engine });
    checkGradient(x, out, layer.dx, dout, definition(true, weight));
    const byWeight = numericGradient((w) => dot(definition(true, w)(x), dout), weight);
    expect(worstError(layer.dweight, byWeight)).toBeLessThan(2e-5);
    const columns = Array.from(
      { length: cols },
      (_, c) => dout[c]! + dout[cols + c]! + dout[2 * cols + c]!,
    );
    expect(worstError(layer.dbias, columns)).toBeLessThan(1e-6);
    const rms = rmsNorm({ x, weight, eps: 1e-5, ...engine });
    const { dx, dweight } = rmsNormBackward({ x, weight, rstd: rms.rstd, dout, ...engine });
    checkGradient(x, rms.out, dx, dout, definition(false, weight));
    const rmsByWeight = numericGradient((w) => dot(definition(false, w)(x), dout), weight);
    expect(worstError(dweight, rmsByWeight)).toBeLessThan(2e-5);
  });

  it('gelu and swiglu', () => {
    const x = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 4);
    const dout = randomFloats(41, 5);
    const tanhForm = (v: number) =>
      0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
    const definition = (at: ArrayLike<number>) => Float64Array.from(at, tanhForm);
    const input = { x, form: 'tanh', ...engine } as const;
    checkGradient(x, gelu(input), geluBackward({ ...input, dout }), dout, definition);
    // The exact form differs from it by less than 5e-4, and is odd about x/2.
    const exact = gelu({ x, ...engine });
    expect(worstError(exact, definition(x))).toBeLessThan(5e-4);
    expect(
      worstError(
        exact.map((v, i) => v - exact[40 - i]!),
        x,
      ),
    ).toBeLessThan(1e-6);
    const slope = geluBackward({ x, dout: new Float32Array(41).fill(1), ...engine });
    expect(slope[20]).toBeCloseTo(0.5, 6);

    const up = randomFloats(41, 6);
    const silu = (gate: ArrayLike<number>) =>
      Float64Array.from(gate, (g, i) => (up[i]! * g) / (1 + Math.exp(-g)));
    const { dgate, dup } = swigluBackward({ gate: x, up, dout, ...engine });
    checkGradient(x, swiglu({ gate: x, up, ...engine }), dgate, dout, silu);
    const byUp = [...x].map((g, i) => (dout[i]! * g) / (1 + Math.exp(-g)));
    expect(worstError(dup, byUp)).toBeLessThan(1e-6);
  });

  it('linear and patch embedding', () => {
    const [rows, inputs, outputs] = [5, 13, 7];
    const x = randomFloats(rows * inputs, 7);
    const weight = randomFloats(outputs * inputs, 8);
    const bias = randomFloats(outputs, 9);
    const dout = randomFloats(rows * outputs, 10);
    const out = linear({ x, weight, bias, inputs, ...engine });
    const d = linearBackward({ x, weight, inputs, dout, ...engine });
    checkGradient(x, out, d.dx, dout, (at) => affine(at, weight, bias, inputs));
    const byWeight = numericGradient((w) => dot(affine(x, w, bias, inputs), dout), weight);
    expect(worstError(d.dweight, byWeight)).toBeLessThan(1e-5);
    const activated = linear({ x, weight, bias, inputs, activation: 'gelu_tanh', ...engine });
    expect(worstError(activated, gelu({ x: out, form: 'tanh' }))).toBeLessThan(1e-6);

    const shape = { channels: 2, height: 4, width: 6, patch: 2 };
    const image = randomFloats(2 * 48, 11);
    const kernel = randomFloats(3 * 8, 12);
    const shift = randomFloats(3, 13);
    const convolve = (at: ArrayLike<number>) => {
      const y: number[] = [];
      for (let b = 0; b < 2; b += 1) {
        for (let p = 0; p < 6; p += 1) {
          for (let o = 0; o < 3; o += 1) {
            let sum = shift[o]!;
            for (let i = 0; i < 8; i += 1) {
              const [c, dy, dx] = [i >> 2, (i >> 1) & 1, i & 1];
              const row = (b * 2 + c) * 4 + 2 * Math.floor(p / 3) + dy;
              sum += kernel[o * 8 + i]! * at[row * 6 + 2 * (p % 3) + dx]!;
            }
            y.push(sum);
          }
        }
      }
      return y;
    };
    const dpatch = randomFloats(2 * 6 * 3, 14);
    const embedded = patchEmbed({ ...shape, x: image, weight: kernel, bias: shift, ...engine });
    const back = patchEmbedBackward({
      ...shape,
      x: image,
      weight: kernel,
      dout: dpatch,
      ...engine,
    });
    checkGradient(image, embedded, back.dx, dpatch, convolve);
  });

  it('rope turns pairs and turns back', () => {
    const [heads, headDim] = [2, 6];
    const positions = Int32Array.of(0, 1, 700);
    const x = randomFloats(3 * heads * headDim, 15);
    const out = rope({ x, positions, heads, headDim, theta: 500, ...engine });
    const want = Float64Array.from(x, (value, i) => {
      const p = i % headDim;
      const angle =
        positions[Math.floor(i / (heads * headDim))]! * 500 ** ((-2 * (p % 3)) / headDim);
      const other = p < 3 ? -x[i + 3]! : x[i - 3]!;
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
    expect(worstError(out, want)).toBeLessThan(1e-5);
    const back = rope({ x: out, positions, heads, headDim, theta: 500, inverse: true, ...engine });
    expect(worstError(back, x)).toBeLessThan(1e-5);
  });
});

describe('headingMlp', () => {
  it('is linear, norm, GELU, then pi tanh', () => {
    const layer = {
      weight: randomFloats(5 * 4, 1),
      bias: randomFloats(5, 2),
      normWeight: randomFloats(5, 3),
      normBias: randomFloats(5, 4),
    };
    const output = { weight: randomFloats(2 * 5, 5), bias: randomFloats(2, 6) };
    const xy = randomFloats(3 * 4, 7, 20);
    const got = headingMlp({ xy, waypoints: 2, hidden: [layer], ...output });
    const hidden = affine(xy, layer.weight, layer.bias, 4);
    const activated = Float64Array.from(hidden, (_, i) => {
      const row = [...hidden.slice(i - (i % 5), i - (i % 5) + 5)];
      const mean = row.reduce((a, b) => a + b, 0) / 5;
      const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 5;
      const y = ((hidden[i]! - mean) / Math.sqrt(variance + 1e-5)) * layer.normWeight[i % 5]!;
      return y + layer.normBias[i % 5]!;
    });
    const exact = gelu({ x: Float32Array.from(activated) });
    // biome-ignore lint/suspicious/noApproximativeNumericConstant: the published constant
    const pi = 3.14159;
    const want = affine(exact, output.weight, output.bias, 5).map((v) => pi * Math.tanh(v));
    expect(got).toHaveLength(6);
    expect(worstError(got, want)).toBeLessThan(5e-6);
    expect(codeOf(() => headingMlp({ xy, waypoints: 3, hidden: [], ...output }))).toBe('ERR_SHAPE');
  });
});
