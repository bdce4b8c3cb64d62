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
 * Ratios of all workloads of a run.
 *
 * @param rows of `combine`, reference loops among them.
 * @param bound of a row: 'arithmetic' or 'memory'.
 * @returns {Record<string, { ratio: number, reference: string }>}
 */
export function ratios(rows, bound) {
  const least = new Map();
  for (const { workload, leastMs } of rows) {
    if (workload.startsWith('reference.')) {
      least.set(workload, Math.min(leastMs, least.get(workload) ?? Number.POSITIVE_INFINITY));
    }
  }
  /** @type {Record<string, { ratio: number, reference: string }>} */
  const result = {};
  for (const row of rows) {
    if (row.workload.startsWith('reference.')) continue;
    const reference = references[bound(row)];
    if (!least.has(reference)) throw new Error(`${reference} was not measured`);
    result[keyOf(row)] = { ratio: row.leastMs / least.get(reference), reference };
  }
  return result;
}

/**
 * What got slower than the baseline by more than the tolerance: [{ key, ratio, was, slower }], worst first. What is in one of
 * the two alone is not compared.
 */
export function regressions(baseline, measured, allowed = tolerance) {
  return Object.entries(measured)
    .filter(([key, { reference }]) => baseline[key]?.reference === reference)
    .map(([key, { ratio }]) => ({
      key,
      ratio,
      was: baseline[key].ratio,
      slower: ratio / baseline[key].ratio,
    }))
    .filter(({ slower }) => slower > 1 + allowed)
    .sort((a, b) => b.slower - a.slower);
}
