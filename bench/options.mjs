// What all benches share: options of the command line, percentiles.

/** Value after `--name` on the command line, or the fallback. */
export function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

export const flag = (name) => process.argv.includes(`--${name}`);

/** Nearest-rank percentile of numbers; 0 is the least. */
export function percentile(values, p) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}
