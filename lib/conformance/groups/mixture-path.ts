import {
  generalizedKl,
  type MixtureSchedule,
  mixtureRates,
  mixtureSample,
  mixtureSchedule,
  mixtureVelocity,
} from '../../kernels.js';
import { type Check, NotImplemented } from '../check.js';
import { type Golden, type GoldenCase, numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';
import { jumpProbability } from './step-law.js';

function scheduleOf(name: unknown): MixtureSchedule {
  const polynomial = /^poly(\d+(?:\.\d+)?)$/.exec(String(name));
  if (polynomial) return { kind: 'polynomial', exponent: Number(polynomial[1]) };
  if (name === 'cond_ot' || name === 'cosine' || name === 'linear_vp' || name === 'vp') {
    return { kind: name };
  }
  throw new NotImplemented(`scheduler ${String(name)}`);
}

function checkSchedule(check: Check, golden: Golden, test: GoldenCase, schedule: MixtureSchedule) {
  const limit = { abs: golden.limit('abs'), rel: golden.limit('rel') };
  const listed = test.values as Record<string, unknown[]>;
  const column = (name: string) => listed[name]!.map((value) => numberOf(value, name));
  const values = mixtureSchedule(schedule, column('t'));
  check.close('alpha', values.alpha, column('alpha'), limit);
  check.close('sigma', values.sigma, column('sigma'), limit);
  check.close('d_alpha', values.dAlpha, column('d_alpha'), limit);
  check.close('d_sigma', values.dSigma, column('d_sigma'), limit);
  // The inverse at the reference's kappa, and where the reference gives none, of its alpha.
  const { kappaInverse } = mixtureSchedule(schedule, column('alpha'));
  check.close('t of alpha', kappaInverse, column('t'), limit);
  if (listed.kappa_inverse !== undefined) {
    const ofTimes = mixtureSchedule(schedule, column('t')).kappaInverse;
    check.close('kappa_inverse', ofTimes, column('kappa_inverse'), limit);
  }
}

/** Schedulers, sampling, velocity and Euler rates of the mixture path. */
export const runMixturePath: GroupRunner = (check, golden, test) => {
  const schedule = scheduleOf(test.scheduler);
  if (test.values !== undefined) {
    checkSchedule(check, golden, test, schedule);
    return;
  }
  const limit = { abs: golden.limit('abs'), rel: golden.limit('rel') };
  const x0 = golden.ints(test, 'x0');
  const x1 = golden.ints(test, 'x1');
  const uniform = golden.float32(test, 'U');
  const want = golden.ints(test, 'x_t');
  const { alpha, rate } = mixtureSchedule(schedule, golden.floats(test, 't').data);
  const rows = x0.length / alpha.length;
  alpha.forEach((kappa, b) => {
    const cut = <T extends Int32Array | Float32Array>(a: T) =>
      a.slice(b * rows, (b + 1) * rows) as T;
    const xt = mixtureSample({ kappa, x0: cut(x0), x1: cut(x1), uniform: cut(uniform) });
    check.equal(`x_t of batch row ${b}`, xt, cut(want));
  });

  const logits = golden.float32(test, 'logits');
  const vocab = golden.shape(test, 'logits').at(-1)!;
  const perRow = Float64Array.from(want, (_, row) => rate[Math.floor(row / rows)]!);
  const velocity = mixtureVelocity({ logits, vocab, xt: want, rate: perRow });
  check.close('velocity', velocity, golden.floats(test, 'velocity').data, limit);

  const t = numberOf(test.euler_t, 'euler_t');
  const h = numberOf(test.euler_h, 'euler_h');
  for (const field of Object.keys(test.tensors ?? {})) {
    const divergence = /^euler_u_div(.+)$/.exec(field)?.[1];
    if (divergence === undefined) continue;
    const source = golden.float32(test, 'source_p');
    const divergenceFree = Number(divergence);
    const { rate: u, total } = mixtureRates({
      schedule,
      t,
      xt: want,
      x1,
      vocab,
      divergenceFree,
      source,
    });
    check.close(field, u, golden.floats(test, field).data, limit);
    const jump = golden.floats(test, `euler_p_jump_div${divergence}`).data;
    check.close(
      `p_jump at ${divergence}`,
      jumpProbability(total.map((sum) => sum * h)),
      jump,
      limit,
    );
  }
};

/** Loss and gradient of the generalised KL divergence. */
export const runGeneralizedKl: GroupRunner = (check, golden, test, engine) => {
  const logits = golden.float32(test, 'logits');
  const vocab = golden.shape(test, 'logits').at(-1)!;
  const x1 = golden.ints(test, 'x1');
  const xt = golden.ints(test, 'x_t');
  const schedule = { kind: 'polynomial', exponent: numberOf(test.poly_n, 'poly_n') } as const;
  const { rate } = mixtureSchedule(schedule, golden.floats(test, 't').data);
  const rows = x1.length / rate.length;
  const rowRate = Float64Array.from(x1, (_, row) => rate[Math.floor(row / rows)]!);
  const { loss, dlogits } = generalizedKl({ logits, vocab, x1, xt, rate: rowRate, ...engine });
  const share = { mean: 1 / x1.length, sum: 1, none: 1 }[String(test.reduction)];
  if (share === undefined) throw new NotImplemented(`reduction ${String(test.reduction)}`);
  const got =
    test.reduction === 'none' ? loss : [loss.reduce((sum, value) => sum + value, 0) * share];
  check.close('loss', got, golden.floats(test, 'loss').data, { rel: golden.limit('loss_rel') });
  const gradient = Float64Array.from(dlogits, (value) => value * share);
  const want = golden.floats(test, 'dlogits').data;
  check.close('dlogits', gradient, want, { abs: golden.limit('grad_abs') });
};
