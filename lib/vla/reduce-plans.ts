/** How several plans of one prompt become one. */
export type VlaReduce = 'first' | 'medoid' | 'mean';

/**
 * One plan from plans [waypoints, coordinates]: x, y and, with three coordinates, a heading. `medoid`: the plan with the
 * least summed distance of waypoints to the others, the first of a tie; `mean`: of positions, and the direction of the mean
 * heading vector.
 */
export function reducePlans(
  how: VlaReduce,
  plans: readonly Float32Array[],
  coordinates: 2 | 3,
): Float32Array {
  const [first] = plans;
  if (how === 'first' || plans.length === 1) return first!;
  if (how === 'mean') return meanPlan(plans, coordinates);
  const sums = plans.map((plan) =>
    plans.reduce((sum, other) => sum + distance(plan, other, coordinates), 0),
  );
  return plans[sums.indexOf(Math.min(...sums))]!;
}

function distance(a: Float32Array, b: Float32Array, coordinates: number): number {
  let sum = 0;
  for (let k = 0; k < a.length; k += coordinates) {
    sum += Math.hypot(a[k]! - b[k]!, a[k + 1]! - b[k + 1]!);
  }
  return sum;
}

function meanPlan(plans: readonly Float32Array[], coordinates: number): Float32Array {
  const mean = (of: (plan: Float32Array) => number) =>
    plans.reduce((sum, plan) => sum + of(plan), 0) / plans.length;
  return plans[0]!.map((_, k) => {
    if (k % coordinates < 2) return mean((plan) => plan[k]!);
    return Math.atan2(
      mean((plan) => Math.sin(plan[k]!)),
      mean((plan) => Math.cos(plan[k]!)),
    );
  });
}
