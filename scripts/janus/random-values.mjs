// Numbers by counter: value i of a tensor depends on the seed, the tensor's name and i alone, so that checkpoints of
// different dtype and number of shards hold the same numbers, rounded.

/** Bytes and header names of what can be written. */
export const DTYPES = {
  f32: { bytes: 4, name: 'F32' },
  bf16: { bytes: 2, name: 'BF16' },
  f16: { bytes: 2, name: 'F16' },
};

const bits = new Uint32Array(1);
const single = new Float32Array(bits.buffer);

/** A 32-bit key of a tensor. */
export function tensorKey(seed, name) {
  let key = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) key = Math.imul(key ^ name.charCodeAt(i), 0x01000193);
  return mix(key) >>> 0;
}

/**
 * Values [begin, begin + count) of a tensor as float32: centre +- spread, uniform.
 *
 * @param {Float32Array} out
 */
export function fill(out, count, key, begin, centre, spread) {
  const step = spread * 2 ** -31;
  const low = centre - spread;
  for (let i = 0; i < count; i++) {
    out[i] = low + (mix((begin + i) ^ key) >>> 0) * step;
  }
}

/** The first `count` finite float32 of `values` rounded to bfloat16, ties to even. */
export function toBfloat16(values, count, out) {
  const from = new Uint32Array(values.buffer, values.byteOffset, count);
  for (let i = 0; i < count; i++) {
    const word = from[i];
    out[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** The same to half precision; subnormal numbers too, beyond its range infinite. */
export function toFloat16(values, count, out) {
  for (let i = 0; i < count; i++) out[i] = half(values[i]);
}

function half(value) {
  single[0] = value;
  const word = bits[0];
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  // Below 2^-14 halves are whole multiples of 2^-24.
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24);
  const rounded = (magnitude + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
  return sign | Math.min(rounded - (112 << 10), 0x7c00);
}

function roundEven(value) {
  const low = Math.floor(value);
  const over = value - low;
  return over > 0.5 || (over === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** A bijection of 32-bit words in which every bit of the input changes every bit of the output about half of the time. */
function mix(word) {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
