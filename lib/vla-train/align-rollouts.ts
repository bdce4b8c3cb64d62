// Groups of plans of one scene, judged, as examples that the trainer learns from.

import type { VlaChains, VlaExample } from '../vla/vla-trainer.js';
import type { VlaPlan, VlaPlanner, VlaPrompt } from '../vla/vla-planner.js';

/** Plans of one scene. */
export interface Group {
  prompt: VlaPrompt;
  plan: VlaPlan;
  /** Of each plan. */
  rewards: Float64Array;
}

/** Reward of each plan less the group's mean, without division by the deviation (paper, section on GRPO). */
export function advantagesOf(rewards: Float64Array): Float64Array {
  const mean = rewards.reduce((sum, r) => sum + r, 0) / rewards.length;
  return rewards.map((r) => r - mean);
}

/** Whether all plans of a group are worth the same: nothing can be learnt from it. */
export function isEven({ rewards }: Group): boolean {
  return rewards.every((r) => r === rewards[0]);
}

/**
 * A group as an example: a chain a plan, of which the last step counts (estimator (A) of wamflow-spec section 7).
 * Probabilities are those at temperature 1, whatever plans were drawn at.
 */
export function groupExample(
  planner: VlaPlanner,
  { prompt, plan, rewards }: Group,
  { clipRatio }: { clipRatio: number },
): VlaExample & { chains: VlaChains } {
  const { positions, ...sequence } = planner.sequence(prompt);
  const counted = new Uint8Array(sequence.ids.length);
  for (const i of positions) counted[i] = 1;
  const advantages = advantagesOf(rewards);
  return {
    ...sequence,
    targets: sequence.ids,
    counted,
    chains: {
      states: plan.states,
      chosen: plan.tokens,
      advantage: Float32Array.from(
        plan.tokens,
        (_, i) => advantages[Math.floor(i / positions.length)]!,
      ),
      logProbability: plan.logProbability,
      clip: clipRatio,
    },
  };
}

/** Mean distance of two plans of a group at their waypoints, metres. */
export function diversityOf({ plan }: Group, coordinates: number): number {
  const { samples } = plan;
  let [sum, pairs] = [0, 0];
  for (let a = 0; a < samples.length; a += 1) {
    for (let b = 0; b < a; b += 1) {
      const points = samples[a]!.length / coordinates;
      for (let i = 0; i < points; i += 1) {
        const at = i * coordinates;
        const dx = samples[a]![at]! - samples[b]![at]!;
        const dy = samples[a]![at + 1]! - samples[b]![at + 1]!;
        sum += Math.hypot(dx, dy) / points;
      }
      pairs += 1;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
}
