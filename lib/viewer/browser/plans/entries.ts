import type { PlanCase } from '../../case.js';
import { errorsOf } from '../../errors.js';
import type { CaseEntry } from '../case-list.js';

const kCommand = {
  left: 'turn left',
  right: 'turn right',
  straight: 'straight on',
  unknown: 'no command',
} as const;

/** `straight on · 8.3 m/s · 14 other vehicles`. */
export function factsOf(item: PlanCase): string {
  const n = item.agents.length;
  return `${motionOf(item)} · ${n} other ${n === 1 ? 'vehicle' : 'vehicles'}`;
}

/** The case as a line of the list, with the mean error of its first two plans. */
export function entryOf(item: PlanCase): CaseEntry {
  const plans = item.plans.slice(0, 2);
  return {
    group: item.group,
    id: item.id,
    facts: motionOf(item),
    columns: plans.map(({ label }) => label),
    numbers: plans.map((plan) => {
      const { ade } = errorsOf(plan.refinements.at(-1) ?? [], item.ego.future);
      return ade === null ? '–' : ade.toFixed(2);
    }),
  };
}

function motionOf(item: PlanCase): string {
  return `${kCommand[item.command]} · ${item.speed.toFixed(1)} m/s`;
}
