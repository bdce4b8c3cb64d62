// One figure of several interleaved rounds.

/** The upper median, as in each line of the protocol. */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
}

/** Items by key, keys in order of first appearance. */
export function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * Lines of the protocol (bench/README.md) -> one row for each workload, peer and number of threads, in order of first
 * appearance. `ms` is the median over rounds of what each round compares by, `leastMs` the least of any repetition.
 * `disturbed`: in no round were there three repetitions that kept their cores.
 */
export function combine(lines) {
  const groups = groupBy(
    lines.filter(({ workload }) => workload !== undefined),
    ({ workload, peer, threads }) => `${workload} ${peer} ${threads}`,
  );
  return [...groups.values()].map((rounds) => {
    const [{ workload, peer, threads }] = rounds;
    return {
      workload,
      peer,
      threads,
      ms: median(rounds.map(({ ms }) => ms)),
      leastMs: Math.min(...rounds.map(({ min_ms }) => min_ms)),
      rounds: rounds.length,
      disturbed: rounds.every(({ clean_ms }) => clean_ms === null),
      check: rounds.at(-1).check,
    };
  });
}

/** Sums of magnitudes and single numbers of a check, in order of its names: what two programs must agree on. */
function sums(check) {
  if (Array.isArray(check)) return [check[1]];
  if (check !== null && typeof check === 'object') {
    return Object.keys(check)
      .sort()
      .flatMap((name) => sums(check[name]));
  }
  return check === null || check === undefined ? [] : [Number(check)];
}

/** Whether two checks are of the same outputs, up to rounding and a token in a hundred. */
export function agree(a, b) {
  const [left, right] = [sums(a), sums(b)];
  return (
    left.length === right.length &&
    left.every(
      (value, i) =>
        Math.abs(value - right[i]) <= 5e-3 * Math.max(Math.abs(value), Math.abs(right[i]), 1e-9),
    )
  );
}
