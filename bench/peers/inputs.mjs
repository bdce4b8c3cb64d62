// Inputs and weights of the workloads, bit for bit those of native/bench/cpu/inputs.cpp.

const kSeed = 20240607;

function keyOf(name) {
  let key = 2166136261;
  for (const byte of Buffer.from(name)) key = Math.imul(key ^ byte, 16777619);
  return key ^ kSeed;
}

function hash(key, index) {
  let h = (key + Math.imul(index, 0x9e3779b9)) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** In [-scale, scale), rounded to float once. */
export function signedValues(name, count, scale = 1) {
  const key = keyOf(name);
  const factor = Math.fround(scale);
  return Float32Array.from(
    { length: count },
    (_, i) => (2 * (hash(key, i) >>> 8) * 2 ** -24 - 1) * factor,
  );
}

/** Whole numbers in [0, bound). */
export function integerValues(name, count, bound) {
  const key = keyOf(name);
  return Int32Array.from({ length: count }, (_, i) => hash(key, i) % bound);
}

/** A weight [inputs, outputs] of y = x W. */
export function linearValues(name, inputs, outputs) {
  return signedValues(name, inputs * outputs, Math.sqrt(3 / inputs));
}

/** [sum, sum of magnitudes, first, middle, last], nine digits each. */
export function checksum(values) {
  let sum = 0;
  let magnitude = 0;
  for (const value of values) {
    const number = Number(value);
    sum += number;
    magnitude += Math.abs(number);
  }
  const n = values.length;
  return [sum, magnitude, values[0], values[n >> 1], values[n - 1]].map(
    (value) => +Number(value).toPrecision(9),
  );
}
