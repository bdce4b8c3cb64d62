import { decodePosterior, pathSchedule, pathUpdate } from '../../kernels.js';
import type { Check } from '../check.js';
import { type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

/**
 * Facts about the released loop that ours avoids by counting steps instead of adding up times: it takes ceil(1/h) steps
 * with h = 1/n in floating point, and refuses a step as long as the interval.
 */
function runFacts(check: Check, test: GoldenCase): void {
  const facts = test.facts as {
    one_step_runs?: boolean;
    network_calls_for_step_size_1_over_n?: Record<string, number>;
  };
  if (facts.one_step_runs !== undefined) {
    check.equal('one step runs', [Number(1 / 1 < 1)], [Number(facts.one_step_runs)]);
  }
  const calls = facts.network_calls_for_step_size_1_over_n ?? {};
  for (const [n, want] of Object.entries(calls)) {
    check.equal(`released calls for n = ${n}`, [Math.ceil(1 / (1 / Number(n)))], [want]);
  }
}

/** Whole runs with every random number given: all states must be the same. */
export const runReplay: GroupRunner = (check, golden, test, engine) => {
  if (test.facts !== undefined) {
    runFacts(check, test);
    return;
  }
  const [vocab, dim] = golden.shape(test, 'table') as [number, number];
  const metric = { table: golden.float32(test, 'table'), dim };
  const logits = golden.float32(test, 'logits');
  const bias = golden.float32(test, 'bias');
  const n = numberOf(test.n_steps, 'n_steps');
  let x = golden.ints(test, 'x0');
  const slots = x.length;
  const row = (field: string, k: number) =>
    golden.float32(test, field).slice(k * slots, (k + 1) * slots);
  const times = Array.from({ length: n }, (_, k) => k / n);
  const step = { h: 1 / n, rule: 'released' } as const;
  const constants = { a: numberOf(test.a ?? 0.9, 'a'), c: numberOf(test.c ?? 3, 'c') };
  const schedule = pathSchedule({ kind: 'published', ...constants }, times, step);
  const states: number[] = [];
  const targets: number[] = [];
  for (let k = 0; k < n; k += 1) {
    states.push(...x);
    const shown = Float32Array.from(bias, (value, i) => {
      return value + logits[x[Math.floor(i / vocab)]! * vocab + (i % vocab)]!;
    });
    const rule = test.x1_rule === 'inverse_cdf' ? 'sample' : 'argmax';
    const uniform = row('WX', k);
    const x1 = decodePosterior({ logits: shown, vocab, rule, uniform, ...engine }).token;
    targets.push(...x1);
    if (k === n - 1) {
      x = x1;
    } else {
      const beta = schedule.beta[k]!;
      const stepWeight = schedule.stepWeight[k]!;
      const jump = row('Z', k);
      const draw = row('W', k);
      x = pathUpdate({
        metric,
        rule: 'released',
        beta,
        stepWeight,
        xt: x,
        x1,
        jump,
        draw,
        ...engine,
      });
    }
  }
  check.equal('states', states, golden.ints(test, 'states'));
  check.equal('x1', targets, golden.ints(test, 'x1'));
  check.equal('final', x, golden.ints(test, 'final'));
};
