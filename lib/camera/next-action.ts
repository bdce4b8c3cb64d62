import { trackKind } from '../scenario/track-kind.js';
import type { SceneTruth } from './scene-truth.js';

/** What the driver of a window should do next, and why. */
export interface NextAction {
  action: 'stop' | 'wait' | 'slow down' | 'turn left' | 'turn right' | 'follow' | 'drive on';
  reason: string;
}

const kStanding = 0.5; // m/s
const kLightAhead = 45; // metres to a red light that matters now
const kPersonAhead = 25;
const kFollowing = 40;
const kLater = 3; // seconds

/**
 * The next action by what is seen and the command, where it agrees with what the driver then did: who was told to stop and
 * sped up knew more than the picture shows, and such windows give none.
 */
export function nextAction(truth: SceneTruth): NextAction | null {
  const wanted = byRule(truth);
  return wanted && agrees(wanted, truth) ? wanted : null;
}

function byRule({ window, speed, lead, light, personAhead }: SceneTruth): NextAction | null {
  if (personAhead && personAhead.distance < kPersonAhead) {
    return trackKind(personAhead.track.type) === 'pedestrian'
      ? { action: 'stop', reason: 'a pedestrian is on the road ahead' }
      : { action: 'slow down', reason: 'a cyclist is on the road ahead' };
  }
  if (lead === undefined || light === undefined) return null;
  const leadFirst = lead !== null && (light === null || lead.gap < light.distance);
  if (light?.color === 'red' && light.distance < kLightAhead && !leadFirst) {
    return speed < kStanding
      ? { action: 'wait', reason: 'the light is red' }
      : { action: 'stop', reason: 'the light is red' };
  }
  if (light?.color === 'yellow' && !leadFirst) return null; // to go or to stop is up to the driver
  if (lead !== null && lead.gap < Math.max(8, 2 * speed)) {
    if (lead.speed < kStanding) {
      return speed < kStanding
        ? { action: 'wait', reason: 'the vehicle ahead stands' }
        : { action: 'slow down', reason: 'the vehicle ahead stands' };
    }
    if (lead.braking) return { action: 'slow down', reason: 'the vehicle ahead brakes' };
    if (lead.speed < speed - 1.5)
      return { action: 'slow down', reason: 'the vehicle ahead is slower' };
  }
  const { command } = window;
  if (command === 'left' || command === 'right') {
    return { action: `turn ${command}`, reason: 'the command says so' };
  }
  if (lead !== null && lead.gap < kFollowing) {
    return { action: 'follow', reason: 'a vehicle drives ahead' };
  }
  return light?.color === 'green'
    ? { action: 'drive on', reason: 'the light is green' }
    : { action: 'drive on', reason: 'the way is free' };
}

/** Whether the driver did so in the next seconds. */
function agrees({ action }: NextAction, { window, speed }: SceneTruth): boolean {
  const { recording, ego, t0 } = window;
  const track = recording.tracks[ego];
  const k = t0 - track.start + Math.round(kLater / recording.dt);
  if (k >= track.x.length) return false;
  const later = Math.hypot(track.vx[k], track.vy[k]);
  switch (action) {
    case 'wait':
      return later < 1;
    case 'stop':
    case 'slow down':
      return later < Math.max(kStanding, speed - 0.3);
    case 'turn left':
    case 'turn right':
      return later > kStanding;
    default:
      return later > kStanding && later > speed - 1.5;
  }
}
