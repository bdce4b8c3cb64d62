/** One plan that a search chose from, see {@link Plan.candidates}. */
export interface PlanCandidate {
  /** A sample; the posterior's median in one step; or the plan before, moved to the present. */
  kind: 'sample' | 'median' | 'previous';
  /** [waypoints, 3] */
  trajectory: Float32Array;
  /** In [0, 1]; the highest is the plan. Does not depend on the other candidates. */
  score: number;
  /**
   * Least metres in each quarter of the plan to a forecast box with which a collision would be the ego's fault; at most
   * 2, else Infinity.
   */
  clearance: number[];
  /** Least seconds to a collision at constant speed in each quarter of the plan: 0.3, 0.6, 0.9 or Infinity. */
  timeToCollision: number[];
  /** Metres that a corner is further off the lanes than any is now, at most 3. */
  offRoad: number;
  /** Metres driven where all lanes go the other way. */
  against: number;
  /** Metres beyond the stop line of a red light. */
  pastRed: number;
  /** Metres along the route, and what a careful driver would get. */
  progress: number;
  reference: number;
  /** Largest comfort signal as a share of its bound. */
  discomfort: number;
  /** Longest time off the centrelines of all lanes by over 0.5 m, seconds. */
  offCenter: number;
  /** Largest difference to the plan before (extended comfort) as a share of its bound; 0 without one. */
  inconsistency: number;
  /** Mean metres to the waypoints of the median. */
  deviation: number;
}

/** Candidates beside the samples. */
export const kExtraCandidates = 2;
/** Numbers of one candidate, see native/binding/plan_packing.cpp. */
export const kCandidateFields = 18;

/** Reads the candidates of a packed result; those that there are not (score -1) are left out. */
export function readCandidates(
  fields: Float32Array,
  samples: readonly Float32Array[],
  extras: readonly Float32Array[],
): PlanCandidate[] {
  const candidates: PlanCandidate[] = [];
  for (const [k, trajectory] of [...samples, ...extras].entries()) {
    const of = fields.subarray(k * kCandidateFields, (k + 1) * kCandidateFields);
    if ((of[0] as number) < 0) continue;
    const at = (i: number) => of[i] as number;
    candidates.push({
      kind: k < samples.length ? 'sample' : k === samples.length ? 'median' : 'previous',
      trajectory,
      score: at(0),
      clearance: [...of.subarray(1, 5)],
      timeToCollision: [...of.subarray(5, 9)],
      offRoad: at(9),
      against: at(10),
      pastRed: at(11),
      progress: at(12),
      reference: at(13),
      discomfort: at(14),
      offCenter: at(15),
      inconsistency: at(16),
      deviation: at(17),
    });
  }
  return candidates;
}
