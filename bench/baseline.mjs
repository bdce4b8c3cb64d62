// Regressions by ratio. The least time of a workload is put in relation to that of a loop of fixed work from the same run,
// so that a slower clock or a busier host moves both.

/** Which loop a workload is held against: what bounds it, see floor.mjs. */
export const references = { arithmetic: 'reference.arithmetic', memory: 'reference.sweep' };

export const tolerance = 0.25;

/** Of a peer's name of ours: wam-flow-ISA[-PRECISION][-prepacked]. */
export const precisionOf = (peer) => /-(bf16|int8)/.exec(peer)?.[1] ?? 'fp32';

const keyOf = ({ workload, threads, peer }) => {
  const precision = precisionOf(peer);
  return `${workload} ${threads}T${precision === 'fp32' ? '' : ` ${precision}`}`;
};

/**
 * Ratios of all workloads of a run to every reference loop of it.
 *
 * @param rows of `combine`, reference loops among them.
 * @returns {Record<string, Record<string, number>>} by workload, then by loop.
 */
export function ratios(rows) {
  const isLoop = ({ workload }) => workload.startsWith('reference.');
  const least = new Map();
  for (const { workload, leastMs } of rows.filter(isLoop)) {
    least.set(workload, Math.min(leastMs, least.get(workload) ?? Number.POSITIVE_INFINITY));
  }
  for (const loop of Object.values(references)) {
    if (!least.has(loop)) throw new Error(`${loop} was not measured`);
  }
  return Object.fromEntries(
    rows
      .filter((row) => !isLoop(row))
      .map((row) => [
        keyOf(row),
        Object.fromEntries([...least].map(([loop, ms]) => [loop, row.leastMs / ms])),
      ]),
  );
}

/**
 * What a baseline keeps of rows: the ratio to the loop that is bound by the same, four digits.
 *
 * @param bound of a row: 'arithmetic' or 'memory'.
 * @returns {Record<string, { ratio: number, reference: string }>}
 */
export function baselineOf(rows, bound) {
  const measured = ratios(rows);
  return Object.fromEntries(
    rows
      .filter((row) => measured[keyOf(row)] !== undefined)
      .map((row) => {
        const reference = references[bound(row)];
        return [
          keyOf(row),
          { ratio: Number(measured[keyOf(row)][reference].toPrecision(4)), reference },
        ];
      }),
  );
}

/**
 * What got slower than the baseline by more than the tolerance: [{ key, ratio, was, slower }], worst first. What is in one of
 * the two alone is not compared.
 */
export function regressions(baseline, measured, allowed = tolerance) {
  return Object.entries(baseline)
    .filter(([key]) => measured[key] !== undefined)
    .map(([key, { ratio: was, reference }]) => {
      const ratio = measured[key][reference];
      return { key, ratio, was, slower: ratio / was };
    })
    .filter(({ slower }) => slower > 1 + allowed)
    .sort((a, b) => b.slower - a.slower);
}
