import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findGoldens } from '../lib/conformance/golden.js';
import { kPdmsGroups } from '../lib/conformance/groups.js';
import { PdmsGolden } from '../lib/conformance/pdms-golden.js';
import { runGolden } from '../lib/conformance/run.js';

const shared = '../shared/pdms-golden';
const known = existsSync(shared) ? findGoldens(shared) : [];
const groups = known.filter((golden): golden is PdmsGolden => golden instanceof PdmsGolden);

// The reference values are not part of the package.
describe.skipIf(known.length === 0)('reference values of ../shared/pdms-golden', () => {
  it('hold every group, and nothing else', () => {
    expect(groups.map(({ group }) => group).sort()).toEqual(Object.keys(kPdmsGroups).sort());
    expect(groups).toHaveLength(known.length);
    const files = readdirSync(shared).filter((name) => name.endsWith('.json'));
    expect(groups.flatMap((golden) => golden.files)).toHaveLength(files.length);
  });

  it.each(groups.map((golden) => [golden.group, golden] as const))('%s', async (_, golden) => {
    for (const threads of [1, 2]) {
      const result = await runGolden(golden, { threads });
      expect(
        result.cases.flatMap(({ id, messages }) => messages.map((m) => `${id}: ${m}`)),
      ).toEqual([]);
      expect(result.passed).toBe(expectedCases(golden));
    }
  });

  describe('a wrong value fails the cases that it belongs to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wam-conformance-pdms-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    // biome-ignore lint/suspicious/noExplicitAny: reference files are changed in their middle.
    type Change = (expected: any) => void;
    const changes: [string, string, RegExp, Change][] = [
      [
        'a sub-metric',
        'scene-lead-101',
        /v1\/\d/,
        (e) => {
          e.v1.results[2].metrics.comfort = 0.5;
        },
      ],
      [
        'the tenth digit but one of a score',
        'scene-lead-101',
        /v2\/\d/,
        (e) => {
          e.v2.results[0].metrics.pdm_score += 3e-9;
        },
      ],
      [
        'a step',
        'scene-lead-101',
        /v2\/\d/,
        (e) => {
          e.v2.results[1].metrics.steps_off_route.push(41);
        },
      ],
      [
        'an unknown metric',
        'scene-lead-101',
        /v2\/\d/,
        (e) => {
          e.v2.results[1].metrics.new_metric = 1;
        },
      ],
      [
        'a filtered metric',
        'scene-red-108',
        /v2\/\d/,
        (e) => {
          e.v2.results[0].metrics_human_filtered.traffic_light_compliance = 0;
        },
      ],
      [
        'a driven state',
        'scene-curve-103',
        /v2\/\d/,
        (e) => {
          e.v2.results[5].rollout[40][7] += 1e-5;
        },
      ],
      [
        'the route',
        'scene-cross-104',
        /v1\/reference/,
        (e) => {
          e.v1.reference.route_lane_ids.reverse();
        },
      ],
      [
        'a proposal',
        'scene-cross-104',
        /v2\/reference/,
        (e) => {
          e.v2.reference.pdm_closed_scores[7] += 1e-5;
        },
      ],
      [
        'the drivable map',
        'real-scene-us101-8-1-e6-t25',
        /v2\/reference/,
        (e) => {
          e.v2.reference.drivable_map.pop();
        },
      ],
      [
        'a reacting vehicle',
        'reactive-lead-101',
        /v2\/\d/,
        (e) => {
          Object.values(e.v2.results[0].vehicle_tracks as Record<string, number[][]>)[0]![8]![1]! +=
            1e-5;
        },
      ],
      [
        'a profile',
        'simulator-56',
        /sim-56/,
        (e) => {
          e.both.results[3].velocity_profile[39] += 1e-5;
        },
      ],
      [
        'a signal',
        'comfort-57',
        /comfort-57.*v2/,
        (e) => {
          e.v2.results[3].signals.yaw_rate[0] += 1e-5;
        },
      ],
      [
        'a root mean square',
        'extended_comfort-58',
        /ec-58/,
        (e) => {
          e.v2.results[3].rms.jerk += 1e-6;
        },
      ],
      [
        'a final score',
        'aggregate-59',
        /agg-59/,
        (e) => {
          e.v2.results[0].final_score += 1e-8;
        },
      ],
    ];
    it.each(changes)('%s', async (_, name, where, change) => {
      const content = JSON.parse(readFileSync(join(shared, `${name}.json`), 'utf8'));
      change(content.expected);
      const path = join(folder, `${name}.json`);
      writeFileSync(path, JSON.stringify(content));
      const [golden] = findGoldens(path);
      const { cases, failed } = await runGolden(golden!, {});
      expect(failed).toBe(1);
      expect(cases.find(({ status }) => status === 'failed')!.id).toMatch(where);
    });

    it('a file without what its kind holds is one failure', async () => {
      const path = join(folder, 'reactive-1.json');
      const content = { schema: 'pdms-golden/1', input: { kind: 'reactive' }, expected: {} };
      writeFileSync(path, JSON.stringify(content));
      const [golden] = findGoldens(path);
      expect(await runGolden(golden!, {})).toMatchObject({
        group: 'reactive',
        passed: 0,
        failed: 1,
      });
    });

    it('a kind that nothing runs is reported, not passed over', async () => {
      const path = join(folder, 'new-1.json');
      writeFileSync(
        path,
        JSON.stringify({ schema: 'pdms-golden/1', input: { kind: 'new' }, expected: {} }),
      );
      const [golden] = findGoldens(path);
      expect(await runGolden(golden!, {})).toMatchObject({
        group: 'new',
        notImplemented: true,
        skipped: 1,
      });
    });
  });
});

/** Counted from the files, without the code that runs them. */
function expectedCases({ files }: PdmsGolden): number {
  return files.reduce((sum, path) => {
    const { input, expected } = JSON.parse(readFileSync(path, 'utf8'));
    return Object.values(expected as Record<string, { results: unknown[] }>).reduce(
      (count, { results }) => count + results.length + (input.kind === 'scene' ? 1 : 0),
      sum,
    );
  }, 0);
}
