/** Probability of at least one jump for expected numbers of jumps. */
export function jumpProbability(expected: ArrayLike<number>): Float64Array {
  return Float64Array.from(expected, (jumps) => -Math.expm1(-jumps));
}

/**
 * The law of one step [rows, vocab] from the expected jumps to each token [rows, vocab] and their sum [rows]: one jump
 * at most, with probability 1 - exp(-sum), to a destination in proportion.
 */
export function stepLaw(
  expected: { rate: Float32Array; total: Float32Array },
  xt: Int32Array,
): Float64Array {
  const vocab = expected.rate.length / xt.length;
  const law = new Float64Array(expected.rate.length);
  const jump = jumpProbability(expected.total);
  xt.forEach((present, row) => {
    for (let y = 0; y < vocab; y += 1) {
      const rate = expected.rate[row * vocab + y]!;
      if (rate > 0) law[row * vocab + y] = (jump[row]! * rate) / expected.total[row]!;
    }
    law[row * vocab + present] = 1 - jump[row]!;
  });
  return law;
}
