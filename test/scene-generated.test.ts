import { describe, expect, it } from 'vitest';
import { generateScenarios } from '../lib/generate/generate.js';
import { kRoadKinds } from '../lib/generate/world.js';
import { sceneFromWindow } from '../lib/sim/from-window.js';
import { isInside } from '../lib/sim/ring.js';
import { sceneViolations } from './support/scene-invariants.js';

describe('generated scenes', () => {
  it.each(kRoadKinds)(
    '%s: valid, drivable where it was driven, and a route without gaps',
    async (kind) => {
      const { windows } = await generateScenarios({ kinds: [kind], seed: 11, windows: 6 });
      expect(windows.length).toBeGreaterThan(0);
      for (const window of windows) {
        const scene = sceneFromWindow(window);
        expect(sceneViolations(scene)).toEqual([]);
        const { roadblocks, intersections, carparks } = scene.map;
        const ground = [...roadblocks.filter((b) => !b.isConnector), ...intersections, ...carparks];
        const blocks = new Map(roadblocks.map((block) => [block.id, block]));
        const route = scene.routeRoadblockIds.map((id) => blocks.get(id)!);
        for (const [i, block] of route.entries()) {
          if (i > 0) expect(route[i - 1].outgoing).toContain(block.id);
        }
        const track = window.recording.tracks[window.ego];
        expect(
          isInside(
            [track.x[window.t0 - track.start], track.y[window.t0 - track.start]],
            route[0].polygon,
          ),
        ).toBe(true);
        for (let step = window.t0; step <= window.t0 + 40; step += 5) {
          const k = step - track.start;
          const [cos, sin] = [Math.cos(track.heading[k]), Math.sin(track.heading[k])];
          for (const [along, across] of [
            [track.length / 2, track.width / 2],
            [track.length / 2, -track.width / 2],
            [-track.length / 2, track.width / 2],
            [-track.length / 2, -track.width / 2],
          ]) {
            const corner = [
              track.x[k] + cos * along - sin * across,
              track.y[k] + sin * along + cos * across,
            ] as const;
            expect(
              ground.some(({ polygon }) => isInside(corner, polygon)),
              `${corner}`,
            ).toBe(true);
          }
        }
        expect(intersections.length > 0).toBe(['roundabout', 'junction', 'signals'].includes(kind));
        expect(scene.trafficLights.length).toBe(kind === 'signals' ? 11 : 0);
      }
    },
  );
});
