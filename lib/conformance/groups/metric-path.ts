import { metricDistance, pathProbability, pathSchedule } from '../../kernels.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

/** beta, distances and probabilities of the metric path, one time a batch row. */
export const runMetricPath: GroupRunner = (check, golden, test, engine) => {
  const a = numberOf(test.a, 'a');
  const c = numberOf(test.c, 'c');
  const metric = { table: golden.float32(test, 'table'), dim: golden.shape(test, 'table')[1]! };
  const x1 = golden.ints(test, 'x1');
  const { beta } = pathSchedule({ kind: 'published', a, c }, golden.floats(test, 't').data);
  // No limit is stated for beta: it is computed in double.
  check.close('beta', beta, golden.floats(test, 'beta').data, { rel: 1e-10 });
  const perBatch = x1.length / beta.length;
  const rowBeta = Float32Array.from(x1, (_, row) => beta[Math.floor(row / perBatch)]!);
  const distance = metricDistance({ metric, x1, ...engine });
  const abs = golden.limit('metric_abs');
  check.close('metric', distance, golden.floats(test, 'metric').data, { abs });
  const prob = pathProbability({ metric, x1, beta: rowBeta, ...engine });
  check.close('prob', prob, golden.floats(test, 'prob').data, { abs: golden.limit('prob_abs') });
};
