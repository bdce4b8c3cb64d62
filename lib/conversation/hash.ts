/** Murmur3's finaliser: every bit of a 32-bit word depends on every bit of the one given. */
export function mixBits(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 32 bits that depend on all words of a key and their order: what a counter-based generator gives. */
export function hashKey(...words: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const word of words) {
    // Integers beyond 32 bits count with all of theirs.
    state = mixBits(state ^ (word >>> 0)) + 0x6a09e667;
    state = mixBits(state ^ Math.floor(word / 2 ** 32)) + 0x3c6ef372;
  }
  return mixBits(state);
}
