import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PdmScorer } from '../lib/sim/pdm-scorer.js';
import { sceneToJson } from '../lib/sim/scene-json.js';
import { kSubScores } from '../lib/sim/score-rows.js';
import { bundle } from './support/bundle.js';
import { busyRoad } from './support/scored-traffic.js';
import { drive } from './support/straight-road.js';

const folder = mkdtempSync(join(tmpdir(), 'wam-flow-score-'));
let cli: Awaited<ReturnType<typeof bundle>>;
beforeAll(async () => {
  cli = await bundle('lib/cli/main.ts');
});
afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli.path, 'score', ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const keep = { id: 'keep', label: 'keeps its speed', poses: drive(() => [0, 0]) };
const stop = { id: 'stop', label: '', poses: drive((t) => [-9.9 * t, 0]) };
const scenes = [busyRoad(), { ...busyRoad({ light: 'green', human: null }), id: 'green' }];
const files = scenes.map((scene) => {
  const path = join(folder, `${scene.id}.json`);
  writeFileSync(path, JSON.stringify(sceneToJson(scene, [keep, stop])));
  return path;
});
const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('wam-flow score --json', () => {
  test('holds what PdmScorer says, for both versions', async () => {
    const { code, stdout, stderr } = await run(
      files[0]!,
      '--version',
      'both',
      '--explain',
      '--json',
    );
    expect([code, stderr]).toEqual([0, '']);
    const document = JSON.parse(stdout);
    expect(document.scenes.map((scene: { version: string }) => scene.version)).toEqual([
      'v1',
      'v2',
    ]);
    for (const report of document.scenes) {
      const scorer = new PdmScorer(scenes[0]!, { version: report.version });
      const wanted = scorer.scoreSync([keep.poses, stop.poses], { explain: true });
      report.trajectories.forEach((row: Record<string, never>, i: number) => {
        expect(row.score).toBe(wanted.scores[i]);
        expect(row.explanations).toEqual(wanted.explanations![i]);
        for (const name of kSubScores) expect(row.subScores[name]).toBe(wanted.subScores[name][i]);
        const filtered = (row.filtered as { score: number } | null)?.score;
        expect(filtered).toBe(wanted.filtered?.scores[i]);
      });
      expect(report.pdmClosed.progressM).toBe(scorer.reference.pdmClosed.progressM);
      await scorer.close();
    }
  });

  test('means over scenes by trajectory', async () => {
    const { code, stdout } = await run(...files, '--json');
    expect(code).toBe(0);
    const { scenes: reports, means, missing, unused } = JSON.parse(stdout);
    expect([missing, unused]).toEqual([[], []]);
    expect(means.map((row: { id: string; scenes: number }) => [row.id, row.scenes])).toEqual([
      ['keep', 2],
      ['stop', 2],
    ]);
    const [a, b] = reports.map(
      (report: { trajectories: { score: number }[] }) => report.trajectories[0]!.score,
    );
    expect(means[0].score).toBe((a + b) / 2);
    // The first scene is filtered, the second has no recorded driver.
    const first = reports[0].trajectories[0].filtered.score;
    expect(means[0].filteredScore).toBe((first + b) / 2);
  });

  test('predictions instead of the trajectories of the scenes', async () => {
    const rows = [
      { id: 'straight', poses: stop.poses },
      { id: 'elsewhere', poses: keep.poses },
    ];
    const forms = [
      write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n')),
      write(
        'object.json',
        JSON.stringify(Object.fromEntries(rows.map(({ id, poses }) => [id, poses]))),
      ),
    ];
    for (const predictions of forms) {
      const { code, stdout } = await run(...files, '--predictions', predictions, '--json');
      expect(code).toBe(0);
      const document = JSON.parse(stdout);
      expect(document).toMatchObject({ missing: ['green'], unused: ['elsewhere'] });
      expect(document.scenes).toHaveLength(1);
      const scorer = new PdmScorer(scenes[0]!);
      const { scores } = scorer.scoreSync([stop.poses]);
      expect(document.scenes[0].trajectories).toMatchObject([
        { id: 'prediction', score: scores[0] },
      ]);
      await scorer.close();
    }
  });

  test('reactive traffic, threads', async () => {
    const { stdout } = await run(files[0]!, '--traffic', 'reactive', '--threads', '2', '--json');
    const scorer = new PdmScorer(scenes[0]!, { traffic: 'reactive' });
    const { scores } = scorer.scoreSync([keep.poses, stop.poses]);
    const rows = JSON.parse(stdout).scenes[0].trajectories as { score: number }[];
    expect(rows.map(({ score }) => score)).toEqual([...scores]);
    await scorer.close();
  });
});

describe('wam-flow score for people', () => {
  test('a table a scene, explanations, what is forgiven', async () => {
    const { code, stdout } = await run(files[0]!, '--explain');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^straight: EPDMS \(NAVSIM v2\.2, before extended comfort, filtered/);
    expect(stdout).toMatch(
      /trajectory +EPDMS +unfiltered +NC +DAC +DDC +TLC +EP +TTC +LK +HC +progress m/,
    );
    expect(stdout).toMatch(/keep \(keeps its speed\) .* 0\* /);
    expect(stdout).toContain('* the recorded driver fails it too: counted as 1');
    expect(stdout).toMatch(/traffic light: at \d\.\d s .* red; forgiven\n/);
    expect(stdout).not.toContain('means over scenes');
  });

  test('several scenes: their means', async () => {
    const { stdout } = await run(...files, '--version', 'v1');
    expect(stdout).toMatch(/means over scenes, PDMS/);
    expect(stdout).toMatch(/trajectory +PDMS +NC +DAC +EP +TTC +C +\(DDC\) +scenes/);
  });
});

describe('wam-flow score: what goes wrong', () => {
  test('wrong usage is 2', async () => {
    for (const args of [
      [],
      [files[0]!, '--version', 'v3'],
      [files[0]!, '--threads', '0'],
      [files[0]!, '--traffic', 'reactive', '--version', 'both'],
      [files[0]!, '--predictions', write('none.json', '{}')],
    ]) {
      const { code, stderr } = await run(...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining('ERR_USAGE')]);
    }
  });

  test('a bad file is 1, and named', async () => {
    const text = readFileSync(files[0]!, 'utf8');
    for (const [path, message] of [
      [join(folder, 'nowhere.json'), /ERR_IO/],
      [write('cut.json', text.slice(0, 500)), /ERR_SCENARIO: cut\.json/],
      [
        write(
          'no-route.json',
          text.replace('"own-in","own-middle","own-out"],"ego"', '"x"],"ego"'),
        ),
        /ERR_SCENARIO: no-route\.json/,
      ],
      [
        write(
          'early.json',
          text.replaceAll('"time_us":2000000', '"time_us":-1').replace(/"ego_past":\[.*?\],/, ''),
        ),
        /ERR_SCENARIO: early\.json/,
      ],
    ] as const) {
      const { code, stderr, stdout } = await run(path, '--json');
      expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
      expect(JSON.parse(stdout).error.code).toMatch(/^ERR_(IO|SCENARIO)$/);
    }
  });
});
