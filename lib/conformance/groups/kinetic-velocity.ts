import { pathRates, pathSchedule, type StepRule } from '../../kernels.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { jumpProbability, stepLaw } from './step-law.js';

/** Rates of the kinetic-optimal velocity and the law of one step, released and integrated. */
export const runKineticVelocity: GroupRunner = (check, golden, test, engine) => {
  const inputs = golden.cases.find(({ id }) => id === (test.inputs_of ?? test.id)) ?? test;
  const dim = golden.shape(inputs, 'table')[1]!;
  const metric = { table: golden.float32(inputs, 'table'), dim };
  const xt = golden.ints(inputs, 'x_t');
  const x1 = golden.ints(inputs, 'x_1');
  const t = numberOf(test.t, 't');
  const h = numberOf(test.h, 'h');
  const constants = { a: numberOf(test.a ?? 0.9, 'a'), c: numberOf(test.c ?? 3, 'c') };
  const at = (rule: StepRule) => {
    const values = pathSchedule({ kind: 'published', ...constants }, [t], { h, rule });
    return { beta: values.beta[0]!, betaDot: values.betaDot[0]!, weight: values.stepWeight[0]! };
  };
  const { beta, betaDot, weight } = at('released');
  const { rate, total } = pathRates({ metric, x1, xt, beta, betaDot, ...engine });
  const limit = { abs: golden.limit('u_abs'), rel: golden.limit('u_rel') };
  check.close('u', rate, golden.floats(test, 'u').data, limit);
  check.close('lambda', total, golden.floats(test, 'lambda').data, limit);

  const law = (stepWeight: number) => {
    const step = pathRates({ metric, x1, xt, beta, betaDot: stepWeight, ...engine });
    return { probability: jumpProbability(step.total), rows: stepLaw(step, xt) };
  };
  const released = law(weight);
  const abs = golden.limit('prob_abs');
  check.close('p_jump', released.probability, golden.floats(test, 'p_jump').data, { abs });
  check.close('step', released.rows, golden.floats(test, 'step').data, { abs });
  const integrated = law(at('integrated').weight);
  const want = golden.floats(test, 'step_integrated').data;
  check.close('step_integrated', integrated.rows, want, { abs });
};
