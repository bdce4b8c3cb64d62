import type { Random } from '../random.js';
import type { RoadKind, World } from '../world.js';
import { laneDropRoad, mergeRoad, splitRoad } from './highway.js';
import { junctionRoad } from './junction.js';
import { openRoad } from './open-road.js';
import { roundaboutRoad } from './roundabout.js';
import { streetRoad } from './street.js';

const kMakers: Readonly<Record<RoadKind, (random: Random) => World>> = {
  straight: (random) => openRoad(random, 'straight'),
  curve: (random) => openRoad(random, 'curve'),
  merge: mergeRoad,
  split: splitRoad,
  'lane-drop': laneDropRoad,
  roundabout: roundaboutRoad,
  junction: (random) => junctionRoad(random, 'junction'),
  signals: (random) => junctionRoad(random, 'signals'),
  street: streetRoad,
};

/** A road of one kind with all its sizes drawn from `random`. Throws RoadError when they do not fit together. */
export function makeWorld(kind: RoadKind, random: Random): World {
  return kMakers[kind](random);
}
