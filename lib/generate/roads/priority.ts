import { wrapAngle } from '../../scenario/observe.js';
import type { Movement } from '../network.js';
import type { ArmPlan } from './arms.js';

/** What decides who goes first: the main road (even arms), who comes from the right, who came first, lights. */
export type Priority = 'main-road' | 'right-first' | 'all-way-stop' | 'lights';

/** Whether traffic on movement `a` gives way to traffic on movement `b`. */
export function yieldsTo(
  priority: Priority,
  plans: readonly ArmPlan[],
  a: Movement,
  b: Movement,
): boolean {
  if (a.from === b.from) return false;
  if (priority === 'all-way-stop') return true; // told apart by who waits longer
  if (priority === 'main-road' && a.from % 2 !== b.from % 2) return a.from % 2 === 1;
  const beside = wrapAngle(plans[b.from].angle - plans[a.from].angle);
  const facing = Math.abs(beside) > 0.7 * Math.PI;
  if (facing || priority === 'lights' || priority === 'main-road') return turnsBefore(a, b);
  // Seen from an arm's inbound traffic, the arm that follows counter-clockwise is on the right.
  return beside > 0;
}

/** Who turns left lets the oncoming traffic pass, and who turns right goes before who turns left. */
function turnsBefore(a: Movement, b: Movement): boolean {
  return a.turn === 'left' && b.turn !== 'left';
}
