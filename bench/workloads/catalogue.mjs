// What the workloads of the native program (native/bench/cpu) compute, and the least that they read and write.

const kFloat = 4;
const kBatches = [1, 8, 64];
/** Gigaflop of a sample; `passes` over the weights of the layers. */
const kPlanner = {
  a: { gflop: 1.2795, passes: 1 },
  b: { gflop: 6.3976, passes: 5 },
  c: { gflop: 2.3334, passes: 6 },
  d: { gflop: 0.2981, passes: 1 },
};
const kWeightBytes = 22.3 * 2 ** 20;
const kAttention = { lengths: [120, 577, 1100], shapes: '8x32 8x64 16x64 16x128'.split(' ') };
const kProducts =
  '120x256x704 1100x2048x5632 24x2048x5632 24x256x4001 24x256x768 24x256x256 24x704x256 24x256x1408 96x256x768 120x704x256'.split(
    ' ',
  );
const kPath = { rows: [24, 4096], vocabularies: [4001, 20001], dim: 64 };
const kNearest = { queries: 4096, vocabulary: 20001, dim: 64 };
const kTriplets = { count: 8192, dim: 64 };

/**
 * Every workload by name: floating-point operations, and bytes that go from or to memory at least once. Of those,
 * `weightBytes` (packed weights in fp32) are fewer with narrow weights.
 */
export function catalogue() {
  const all = new Map();
  for (const batch of kBatches) {
    for (const [variant, { gflop, passes }] of Object.entries(kPlanner)) {
      all.set(`W1${variant}.B${batch}`, {
        flops: gflop * 1e9 * batch,
        bytes: 0,
        weightBytes: passes * kWeightBytes,
      });
    }
  }
  for (const shape of kAttention.shapes) {
    const [heads, dim] = shape.split('x').map(Number);
    for (const n of kAttention.lengths) {
      all.set(`W2.N${n}.h${shape}`, {
        flops: 4 * n * n * dim * heads,
        bytes: 4 * n * dim * heads * kFloat,
      });
    }
  }
  for (const shape of kProducts) {
    const [m, k, n] = shape.split('x').map(Number);
    all.set(`W3.${shape}`, {
      flops: 2 * m * n * k,
      bytes: (m * k + m * n) * kFloat,
      weightBytes: k * n * kFloat,
    });
  }
  for (const rows of kPath.rows) {
    for (const vocabulary of kPath.vocabularies) {
      // Distances, two exponentials at 16 operations, sums.
      all.set(`W4.R${rows}.V${vocabulary}`, {
        flops: rows * vocabulary * (2 * kPath.dim + 2 * 16 + 8),
        bytes: (rows + kPath.dim) * vocabulary * kFloat,
      });
    }
  }
  const { queries, vocabulary, dim } = kNearest;
  all.set('W5.nearest', {
    flops: 2 * queries * vocabulary * dim,
    bytes: (queries + vocabulary) * dim * kFloat,
  });
  // Three rows in, three gradients out.
  all.set('W5.triplet', {
    flops: 20 * kTriplets.count * kTriplets.dim,
    bytes: 6 * kTriplets.count * kTriplets.dim * kFloat,
  });
  // Forward, both products of the backward pass; weights, gradient and two moments, all but the gradient written as well.
  all.set('W6.B64', { flops: 3 * 64 * kPlanner.a.gflop * 1e9, bytes: 7 * kWeightBytes });
  return all;
}
