import { type AttentionMask, attention, attentionBackward } from '../../kernels.js';
import { NotImplemented } from '../check.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { largestError, plainAttention } from '../plain-16-bit.js';

/** [B, H, L, D] to [B, L, H, D] and, with H and L exchanged, back. */
function swapAxes(x: ArrayLike<number>, b: number, h: number, l: number, d: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < b; i += 1) {
    for (let j = 0; j < h; j += 1) {
      for (let k = 0; k < l; k += 1) {
        const from = ((i * h + j) * l + k) * d;
        const to = ((i * l + k) * h + j) * d;
        for (let p = 0; p < d; p += 1) out[to + p] = x[from + p]!;
      }
    }
  }
  return out;
}

function maskOf(name: unknown, prefix: unknown): AttentionMask {
  if (name === 'full' || name === 'causal') return name;
  if (name === 'key_padding') return 'full';
  if (name === 'prefix_block') return { prefix: numberOf(prefix, 'prefix') };
  throw new NotImplemented(`mask ${String(name)}`);
}

/** Attention forward and backward. */
export const runAttention: GroupRunner = (check, golden, test, engine) => {
  const [batch, heads, length, headDim] = golden.shape(test, 'q') as [
    number,
    number,
    number,
    number,
  ];
  const [, kvHeads, keyLength] = golden.shape(test, 'k') as [number, number, number];
  const queries = (field: string) =>
    swapAxes(golden.floats(test, field).data, batch, heads, length, headDim);
  const keys = (field: string) =>
    swapAxes(golden.floats(test, field).data, batch, kvHeads, keyLength, headDim);
  const input = {
    q: queries('q'),
    k: keys('k'),
    v: keys('v'),
    batch,
    length,
    keyLength,
    heads,
    kvHeads,
    headDim,
    mask: maskOf(test.mask, test.prefix),
    keyLengths: test.mask === 'key_padding' ? (test.lens as number[]) : undefined,
    ...engine,
  };
  const result = attention(input);
  if (engine.precision === 'bf16' || engine.precision === 'f16') {
    const dout = queries('dout');
    const gradient = attentionBackward({ ...input, ...result, dout });
    const lens = input.keyLengths;
    const prefix = typeof input.mask === 'object' ? input.mask.prefix : undefined;
    const sees = (b: number, i: number, j: number) => {
      if (lens !== undefined) return j < lens[b]!;
      if (prefix !== undefined) return i >= prefix || j < prefix;
      return input.mask !== 'causal' || j <= i;
    };
    const plain = plainAttention({ ...input, dout, sees }, engine.precision);
    const wanted = { out: queries('out'), dq: queries('dq'), dk: keys('dk'), dv: keys('dv') };
    const got = { out: result.out, ...gradient };
    for (const field of ['out', 'dq', 'dk', 'dv'] as const) {
      // The goldens themselves are rounded to float.
      const abs = 2 * largestError(plain[field], wanted[field]) + golden.limit('fwd_abs');
      check.close(field, got[field], wanted[field], { abs });
    }
    return;
  }
  const abs = golden.limit('fwd_abs');
  check.close('out', result.out, queries('out'), { abs });
  const dout = queries('dout');
  const gradient = attentionBackward({ ...input, ...result, dout });
  const limit = { abs: golden.limit('bwd_abs') };
  check.close('dq', gradient.dq, queries('dq'), limit);
  check.close('dk', gradient.dk, keys('dk'), limit);
  check.close('dv', gradient.dv, keys('dv'), limit);
};
