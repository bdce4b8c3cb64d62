/**
 * Exponential moving mean of `values`, without the pull towards 0 at the beginning: each is the mean of itself (weight 1)
 * and those before it (weight `fade`, `fade`^2 ...). `fade` is from 0 (the values themselves) to below 1.
 */
export function smoothed(values: readonly number[], fade: number): number[] {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = fade * sum + value;
    weight = fade * weight + 1;
    return sum / weight;
  });
}

/** Index of the member of `steps` (ascending, not empty) that is nearest to `step`. */
export function nearest(steps: readonly number[], step: number): number {
  let low = 0;
  let high = steps.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1] <= steps[low] - step ? low - 1 : low;
}
