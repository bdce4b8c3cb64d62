import { groupAdvantages, pdmReward, policyLoss } from '../../kernels.js';
import type { SubScore } from '../../sim/score-rows.js';
import { NotImplemented } from '../check.js';
import { numberOf } from '../golden.js';
import type { GroupRunner } from '../groups.js';

const kNames: Readonly<Record<string, SubScore>> = {
  NC: 'noAtFaultCollisions',
  DAC: 'drivableAreaCompliance',
  TTC: 'timeToCollisionWithinBound',
  EP: 'egoProgress',
  C: 'comfort',
};

/** Reward and advantage of a group, and the clipped objective with its divergence and gradient. */
export const runGrpo: GroupRunner = (check, golden, test, engine) => {
  const [group, length, vocab] = golden.shape(test, 'logits') as [number, number, number];
  const rows = group * length;
  const want = (field: string) => golden.floats(test, field).data;
  // Limits are stated of the loss and of the gradient; the other numbers are held to both together.
  const rel = golden.limit('loss_rel');
  const abs = golden.limit('grad_abs');

  const order = test.subscore_order as string[];
  const table = want('subscores');
  const subScores = Object.fromEntries(
    order.map((part, k) => {
      const name = kNames[part];
      if (name === undefined) throw new NotImplemented(`sub-score ${part}`);
      return [name, Array.from({ length: group }, (_, i) => table[i * order.length + k]!)];
    }),
  );
  // Computed in double: the golden files' limit for float64 code.
  const double = { abs: 1e-10 };
  const reward = pdmReward({ subScores });
  check.close('reward', reward, want('reward'), double);
  const advantages = groupAdvantages({ reward });
  check.close('advantage', advantages, want('advantage'), double);

  const token = golden.ints(test, 'tokens');
  const advantage = Float32Array.from(
    { length: rows },
    (_, row) => advantages[Math.floor(row / length)]!,
  );
  const input = {
    vocab,
    token,
    advantage,
    reference: golden.float32(test, 'logits_ref'),
    clip: numberOf(test.clip_eps, 'clip_eps'),
    klBeta: numberOf(test.kl_beta, 'kl_beta'),
    ...engine,
  };
  // The old policy's log probabilities by the operation itself, as an alignment gets them.
  const none = new Float32Array(rows);
  const old = policyLoss({
    ...input,
    logits: golden.float32(test, 'logits_old'),
    oldLogProbability: none,
  });
  const now = {
    ...input,
    logits: golden.float32(test, 'logits'),
    oldLogProbability: old.logProbability,
  };
  const got = policyLoss(now);
  check.close('ratio', got.ratio, want('ratio'), { abs, rel });
  check.close('kl', got.kl, want('kl'), { abs, rel });
  check.close('k3', policyLoss({ ...now, kl: 'k3' }).kl, want('k3'), { abs, rel });
  const clipped = got.ratio.filter((ratio) => Math.abs(ratio - 1) > input.clip).length / rows;
  const fraction = numberOf(test.clipped_fraction, 'clipped_fraction');
  check.close('clipped_fraction', [clipped], [fraction], double);
  check.close('loss', [got.total], [numberOf(test.loss, 'loss')], { rel });
  check.close('dlogits', got.dlogits, want('dlogits'), { abs });
};
