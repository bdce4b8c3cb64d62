import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateCommand } from '../lib/cli/evaluate.js';
import { readScenarios } from '../lib/scenario/read.js';
import type { ScenarioWindow } from '../lib/scenario/types.js';
import { checkpointFolder } from './support/small-planner.js';
import { runCommand } from './support/run-command.js';

let windows: readonly ScenarioWindow[];
beforeAll(async () => {
  ({ windows } = await readScenarios(join(import.meta.dirname, '../examples')));
});

describe('wam-flow evaluate', () => {
  const run = (...args: string[]) => runCommand(evaluateCommand(), args);

  it('prints one JSON document with a model', async () => {
    const { directory, remove } = await checkpointFolder();
    try {
      const json = JSON.parse(
        await run(
          '--model',
          directory,
          '--steps',
          '1,2',
          '--decode',
          'argmax,sample',
          '--latency-calls',
          '2',
          '--resamples',
          '20',
          '--json',
        ),
      );
      expect(json).toMatchObject({ data: 'examples', split: 'all', n: windows.length });
      const [row] = json.rows.slice(-1);
      expect(row).toMatchObject({
        planner: directory,
        steps: 2,
        decode: 'sample',
        rule: 'renoise',
        samples: 1,
      });
      for (const name of [
        'ade',
        'fde',
        'minAde',
        'collisionRate',
        'offroadRate',
        'headingError',
        'jerk',
      ]) {
        expect(row[name], name).toBeTypeOf('number');
        expect(row.ci[name], name).toHaveLength(2);
      }
      expect(Object.keys(row.latencyMs)).toEqual(['p50', 'p99']);
      expect(Object.keys(row.by)).toEqual(['location', 'manoeuvre']);
      expect(Object.keys(row.pdm.by)).toEqual(['location', 'manoeuvre']);
      expect(row.pdm.epdms.score).toBeGreaterThanOrEqual(row.pdm.epdmsUnfiltered.score);
      expect(row.pdm.ci.pdms.score).toHaveLength(2);
      expect(json.pdm).toMatchObject({ n: windows.length, traffic: 'replay', failed: [] });
    } finally {
      remove();
    }
  });

  it('prints tables, the recorded driver and the floors first', async () => {
    const lines = (await run('--baselines', '--resamples', '20')).split('\n');
    expect(lines[0]).toMatch(/^planner +ADE m +95 % +difference +FDE m/);
    expect(lines[2]).toMatch(/^recorded driver +0\.00 +0\.00-0\.00/);
    expect(lines[4]).toMatch(/^constant velocity +3\.\d\d .* reference /);
    expect(lines.some((line) => line.includes('left turn (11)'))).toBe(true);
    const titles = lines.filter((line) => /^E?PDMS in %/.test(line));
    expect(titles[0]).toContain('NAVSIM v1.1, 67 windows');
    expect(titles[1]).toContain('NAVSIM v2.2');
    expect(lines.some((line) => /^planner +EPDMS .* LK +HC +EC +unfiltered$/.test(line))).toBe(
      true,
    );
  });

  it('drives in closed loop', async () => {
    const args = ['--closed-loop', '--baselines', '--limit', '12', '--resamples', '20'];
    const lines = (await run(...args)).split('\n');
    expect(lines[0]).toBe('Drives, a plan every 0.5 s, replay traffic; rates in %');
    expect(lines.filter((line) => line.startsWith('PDM-Closed '))).toHaveLength(2);
    const json = JSON.parse(
      await run(...args, '--replan', '0.4', '--traffic', 'reactive', '--json'),
    );
    expect(json).toMatchObject({ data: 'examples', replanS: 0.4, traffic: 'reactive' });
    expect(json.rows[0]).toMatchObject({ planner: 'recorded driver', pdms: null });
    expect(json.rows[0].ci.epdms).toHaveLength(2);
  });

  it('explains what recorded drivers fail', async () => {
    const json = JSON.parse(await run('--explain-human', '--json'));
    expect(json).toMatchObject({ data: 'examples', split: 'all', n: windows.length });
    for (const { text, cause, score } of json.failures) {
      expect(score).toBeLessThan(1);
      expect(text.length).toBeGreaterThan(20);
      expect(['tracker', 'vehicle size', 'recording']).toContain(cause);
    }
    expect(await run('--explain-human')).toContain(`windows of ${windows.length}`);
  });

  it('draws what recorded drivers lose marks for, and only that', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wam-flow-human-'));
    try {
      const file = join(folder, 'human.html');
      await run('--explain-human', '--html', file);
      const page = readFileSync(file, 'utf8');
      const { failures } = JSON.parse(await run('--explain-human', '--json'));
      expect(failures.length).toBeGreaterThan(0);
      expect(page).toContain('recorded driver');
      expect(failures.some(({ text }: { text: string }) => page.includes(text.slice(0, 20)))).toBe(
        true,
      );
      await expect(run('--html', file)).rejects.toMatchObject({ code: 'ERR_USAGE' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses options that are none', async () => {
    await expect(run('--steps', '0')).rejects.toThrow(/integer from 1/);
    await expect(run('--closed-loop', '--replan', '0.6')).rejects.toThrow(/number from 0.1/);
    await expect(run('--decode', 'mean')).rejects.toThrow(/Allowed choices/);
    await expect(run('--model', 'no-such-model')).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_CHECKPOINT_NOT_FOUND' }),
    );
  });
});
