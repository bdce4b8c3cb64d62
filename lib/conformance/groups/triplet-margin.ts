import type { KernelOptions } from '../../kernel-addon.js';
import { nearestToken, orderViolations, tripletMargin } from '../../kernels.js';
import type { Check } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

/** The nearest rows in order of distance: the nearest of all, the nearest of the others, ... */
function checkNearest(check: Check, golden: Golden, test: GoldenCase, engine: KernelOptions): void {
  const table = golden.float32(test, 'table');
  const [vocab, dim] = golden.shape(test, 'table') as [number, number];
  const query = golden.float32(test, 'query');
  const [rows, count] = golden.shape(test, 'nearest_index') as [number, number];
  const index: number[] = [];
  const distance2: number[] = [];
  for (let r = 0; r < rows; r += 1) {
    let left = Array.from({ length: vocab }, (_, v) => v);
    for (let i = 0; i < count; i += 1) {
      const rest = Float32Array.from(
        left.flatMap((v) => [...table.subarray(v * dim, (v + 1) * dim)]),
      );
      const one = query.slice(r * dim, (r + 1) * dim);
      const found = nearestToken({ query: one, table: rest, dim, ...engine });
      const token = left[found.token[0]!]!;
      index.push(token);
      distance2.push(found.distance2[0]!);
      left = left.filter((v) => v !== token);
    }
  }
  check.equal('nearest_index', index, golden.ints(test, 'nearest_index'));
  // No limit of its own is stated; distances of unit vectors are of the size of the gradients.
  const abs = golden.limit('grad_abs');
  check.close('nearest_dist2', distance2, golden.floats(test, 'nearest_dist2').data, { abs });
}

/**
 * The reference counts over pairs (i, j > i) with every stride-th row as anchor and gives the number of pairs, not the
 * stride; it follows from that number.
 */
function checkOrder(check: Check, golden: Golden, test: GoldenCase): void {
  const [violations, pairs] = test.order_violations as [number, number];
  const table = golden.float32(test, 'table');
  const [vocab, dim] = golden.shape(test, 'table') as [number, number];
  for (let stride = 1; stride < vocab; stride += 1) {
    let count = 0;
    for (let i = 0; i < vocab; i += stride) count += vocab - 1 - i;
    if (count !== pairs) continue;
    const got = orderViolations({ table, dim, stride });
    check.equal('order_violations', [got.violations, got.pairs], [violations, pairs]);
    return;
  }
  check.failures.push(`order_violations: no stride gives ${pairs} pairs of ${vocab} rows`);
}

/** Triplet losses and gradients in both forms, nearest rows, order of the table. */
export const runTripletMargin: GroupRunner = (check, golden, test, engine) => {
  const input = {
    table: golden.float32(test, 'table'),
    dim: golden.shape(test, 'table')[1]!,
    anchor: golden.ints(test, 'anchor'),
    positive: golden.ints(test, 'positive'),
    negative: golden.ints(test, 'negative'),
    margin: numberOf(test.margin, 'margin'),
    ...engine,
  };
  const rel = golden.limit('loss_rel');
  const abs = golden.limit('grad_abs');
  const compare = (
    form: 'torch' | 'paper',
    reduction: 'mean' | 'sum',
    loss: string,
    gradient: string,
  ) => {
    const got = tripletMargin({ ...input, form, reduction });
    check.close(loss, [got.loss], [numberOf(test[loss], loss)], { rel });
    check.close(gradient, got.dtable, golden.floats(test, gradient).data, { abs });
  };
  compare('torch', 'mean', 'torch_mean', 'torch_grad_mean');
  compare('torch', 'sum', 'torch_sum', 'torch_grad_sum');
  compare('paper', 'mean', 'paper_mean', 'paper_grad');
  if (golden.has(test, 'query')) checkNearest(check, golden, test, engine);
  if (test.order_violations !== undefined) checkOrder(check, golden, test);
};
