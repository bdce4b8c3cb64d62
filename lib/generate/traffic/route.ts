import type { Edge, NetLane } from '../network.js';

/** The successor of a lane from which the rest of a route can be driven without leaving the lane; else one that at least goes on. */
export function leadsOn(lane: NetLane, route: readonly Edge[], k: number): NetLane | null {
  let fallback: NetLane | null = null;
  for (const next of lane.successors) {
    if (next.edge !== route[k + 1]) continue;
    if (depth(next, route, k + 1) === route.length - k - 2) return next;
    fallback ??= next;
  }
  return fallback;
}

/** How many edges of the route can be driven from a lane without a lane change. */
function depth(lane: NetLane, route: readonly Edge[], k: number): number {
  let most = 0;
  for (const next of lane.successors) {
    if (next.edge === route[k + 1]) most = Math.max(most, 1 + depth(next, route, k + 1));
  }
  return most;
}

/** Whether the next edge of the route can be reached from a lane. */
export function isAllowed(lane: NetLane, route: readonly Edge[], k: number): boolean {
  if (lane.closedAt < lane.line.length) return false;
  return k + 1 >= route.length || lane.successors.some(({ edge }) => edge === route[k + 1]);
}

/** The lane beside that is nearer to one from which the route goes on; null when no lane of the edge leads on. */
export function towardsAllowed(lane: NetLane, route: readonly Edge[], at: number): NetLane | null {
  const { lanes } = lane.edge;
  const here = lanes.indexOf(lane);
  let best = Number.POSITIVE_INFINITY;
  for (const [i, other] of lanes.entries()) {
    if (isAllowed(other, route, at) && Math.abs(i - here) < Math.abs(best - here)) best = i;
  }
  if (!Number.isFinite(best) || best === here) return null;
  return best > here ? lane.left : lane.right;
}
