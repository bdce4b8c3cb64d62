/** Colour of a score in [0, 1] on a scale of evenly spaced stops. */
export function scoreColor(score: number, stops: readonly string[]): string {
  const at = Math.min(1, Math.max(0, score)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const share = (100 * (at - k)).toFixed(1);
  return `color-mix(in oklab, ${stops[k + 1]} ${share}%, ${stops[k]})`;
}
