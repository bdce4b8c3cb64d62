import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Planner } from '../lib/planner.js';
import { futureFromWindow, observationFromWindow } from '../lib/scenario/observe.js';
import { readScenarios } from '../lib/scenario/read.js';
import { checkpointFolder } from './support/small-planner.js';

// Through the built command line, as users run it.

const kMain = 'dist/cli/main.js';
const folder = mkdtempSync(join(tmpdir(), 'wam-flow-cli-'));
let model: Awaited<ReturnType<typeof checkpointFolder>>;

beforeAll(async () => {
  model = await checkpointFolder();
});
afterAll(() => {
  model.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function start(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [kMain, ...args], { env: { ...process.env, ...env } });
}

function run(args: string[], env: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = start(args, env);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('help and usage', () => {
  test.each(['plan', 'train', 'evaluate', 'generate', 'camera', 'score', 'doctor', 'demo'])(
    '%s --help has an example and exits 0',
    async (command) => {
      const { code, stdout } = await run([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: wam-flow ${command}`);
      expect(stdout).toMatch(new RegExp(`Example:\\n {2}\\$ wam-flow ${command}`));
      expect(stdout).toContain('--json');
    },
  );

  test('the list of commands says the exit codes', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('0 done, 1 failed, 2 wrong usage, 130 interrupted');
  });

  test('--version is that of package.json', async () => {
    const { code, stdout } = await run(['--version']);
    expect(code).toBe(0);
    expect(stdout.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  });

  test.each([
    [['frobnicate'], 'unknown command'],
    [['plan', '--bogus'], '--bogus'],
    [['plan', 'stray'], 'too many arguments'],
    [['plan', '--steps', '1,zero'], '--steps'],
    [['plan', '--steps', '0'], '--steps'],
    [['plan', '--samples', '1.5'], '--samples'],
    [['plan', '--decode', 'best'], 'Allowed choices are argmax, median, sample, sample-median'],
    [['plan', '--deadline-ms', 'soon'], '--deadline-ms'],
    [['doctor', '--threads', '-1'], '--threads'],
  ])('%j is wrong usage: 2 and one line that says what', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^wam-flow: ERR_USAGE: /);
    expect(stderr).toContain(text);
    expect(stderr).not.toContain('    at ');
  });

  test('wrong usage under --json is JSON on stdout as well', async () => {
    const { code, stdout } = await run(['plan', '--steps', '0', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_USAGE' } });
  });

  test('an unknown window is wrong usage and names some that exist', async () => {
    const { code, stderr } = await run(['plan', '--window', 'no-such-window']);
    expect(code).toBe(2);
    expect(stderr).toContain('"no-such-window"');
    expect(stderr).toContain('such as crossing-e0-t140');
  });
});

describe('errors', () => {
  test('a missing model is a failure: 1, one line with the code, no stack', async () => {
    const { code, stdout, stderr } = await run(['plan', '--model', join(folder, 'nothing')]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^wam-flow: ERR_CHECKPOINT_NOT_FOUND: .*nothing.*\n$/);
  });

  test.each([
    [['--debug'], {}],
    [[], { WAM_FLOW_DEBUG: '1' }],
  ])('%j %j adds the stack', async (more, env) => {
    const { stderr } = await run(['plan', '--model', join(folder, 'nothing'), ...more], env);
    expect(stderr).toContain('    at ');
  });

  test('a broken scenario file is named with its fault', async () => {
    const file = join(folder, 'broken\u001b[31m.jsonl');
    writeFileSync(file, '{"format":1}\n');
    const { code, stderr } = await run(['plan', '--data', file, '--model', model.directory]);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SCENARIO');
    expect(stderr).not.toContain('\u001b'); // a name cannot steer the terminal
  });

  test('under --json stdout carries the error', async () => {
    const { code, stdout } = await run(['plan', '--json', '--model', join(folder, 'nothing')]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_CHECKPOINT_NOT_FOUND' } });
  });
});

describe('plan', () => {
  const args = () => ['plan', '--model', model.directory];

  test('--json gives what the API gives, with errors against the recorded driver', async () => {
    const { code, stdout, stderr } = await run([
      ...args(),
      ...['--window', '0', '--steps', '1,3', '--samples', '4', '--seed', '11'],
      ...['--decode', 'sample-median', '--json'],
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const { plans } = JSON.parse(stdout);
    expect(plans).toHaveLength(2);

    const [window] = (await readScenarios('examples')).windows;
    const planner = await Planner.load(model.directory);
    const plan = await planner.plan(observationFromWindow(window), {
      steps: 3,
      samples: 4,
      seed: 11,
      decode: 'sample',
      lastDecode: 'median',
    });
    await planner.close();
    const [, second] = plans;
    expect(second.window).toBe(window.id);
    expect(second.trajectory.flat()).toEqual([...plan.trajectory]);
    expect(second.refinements).toHaveLength(3);
    expect(second.samples).toHaveLength(4);
    const truth = futureFromWindow(window).poses;
    const distance = (i: number) =>
      Math.hypot(
        plan.trajectory[3 * i] - truth[3 * i],
        plan.trajectory[3 * i + 1] - truth[3 * i + 1],
      );
    const mean = [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum + distance(i), 0) / 8;
    expect(second.ade).toBeCloseTo(mean, 9);
    expect(second.fde).toBeCloseTo(distance(7), 9);
    expect(second.minAde).toBeLessThanOrEqual(second.ade);
  });

  test('prints a table, a row a plan, and the poses of a single window; plain text in a pipe', async () => {
    const { code, stdout } = await run([...args(), '--window', 'curve-e0-t40', '--steps', '1,2']);
    expect(code).toBe(0);
    expect(stdout).toContain('curve-e0-t40  1 step (median)');
    expect(stdout).toContain('2 steps (median, renoise rule, seed 0)');
    expect(stdout).toContain('constant velocity');
    expect(stdout.match(/^ 4\.0 /gm)).toHaveLength(2);
    expect(stdout).not.toContain('\u001b');
  });

  test('without --window it plans the first 20 and says so', async () => {
    const { stdout, stderr } = await run([...args(), '--steps', '1', '--json']);
    expect(JSON.parse(stdout).plans).toHaveLength(20);
    expect(stderr).toMatch(/The first 20 of \d+ windows; --window all plans all\./);
  });

  test('a deadline that is over stops after one step', async () => {
    const { stdout } = await run([
      ...args(),
      ...['--window', '0', '--steps', '60', '--deadline-ms', '0', '--json'],
    ]);
    const [plan] = JSON.parse(stdout).plans;
    expect(plan.stepsRun).toBe(1);
    expect(plan.refinements).toHaveLength(1);
  });

  test('--html writes a page of the planned windows, folders included', async () => {
    const file = join(folder, 'deep', 'er', 'page.html');
    const { code, stderr } = await run([...args(), '--window', '1', '--html', file]);
    expect(code).toBe(0);
    expect(stderr).toContain(`Wrote ${file}`);
    const html = readFileSync(file, 'utf8');
    const json = html.match(/<script type="application\/json" id="data">(.*?)<\/script>/s)?.[1];
    const { cases } = JSON.parse(json ?? '');
    expect(cases).toHaveLength(1);
    expect(cases[0].plans.map(({ label }: { label: string }) => label)).toEqual([
      '1 step',
      '5 steps',
    ]);
    expect(cases[0].plans[1].refinements).toHaveLength(5);
  });

  test('a page that cannot be written is a failure', async () => {
    writeFileSync(join(folder, 'file'), '');
    const file = join(folder, 'file', 'page.html');
    const { code, stderr } = await run([...args(), '--window', '1', '--html', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_IO: cannot write');
  });

  test('a reader that goes away is no error', async () => {
    const child = start([...args(), '--window', 'all', '--steps', '1,2,3,4,5,6,7', '--json']);
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    // Gone before the first byte: the write finds a closed pipe.
    child.stdout?.destroy();
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('Ctrl-C stops it with 130 and no error message', async () => {
    const child = start([
      ...args(),
      '--window',
      'all',
      '--steps',
      '4000',
      '--samples',
      '64',
      '--json',
    ]);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    // Long enough to be planning: 67 windows of 4,000 steps take minutes.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stdout, stderr }).toEqual({ code: 130, stdout: '', stderr: '' });
  });
});

describe('doctor', () => {
  test('says that everything works, for people and for machines', async () => {
    const plain = await run(['doctor', '--model', model.directory]);
    expect(plain.code).toBe(0);
    expect(plain.stdout).toContain('Everything works.');
    expect(plain.stdout).toMatch(/device.*(cuda; |cpu; no GPU: \w)/);
    const { code, stdout, stderr } = await run(['doctor', '--model', model.directory, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }: { name: string }) => name)).toEqual([
      'system',
      'addon',
      'device',
      'model',
      'examples',
      'plan',
      'kernels',
    ]);
    const plan = report.checks[5].facts;
    expect(plan.latencyMs['1']).toBeGreaterThan(0);
    expect(existsSync(report.checks[1].facts.path)).toBe(true);
  });

  test('a missing model is reported and makes it fail', async () => {
    const { code, stdout } = await run(['doctor', '--json', '--model', join(folder, 'nothing')]);
    expect(code).toBe(1);
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    const failed = report.checks.filter(({ status }: { status: string }) => status === 'failed');
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({
      name: 'model',
      facts: { code: 'ERR_CHECKPOINT_NOT_FOUND' },
    });
  });
});

describe('demo', () => {
  test('plans windows of every example scenario and writes the page', async () => {
    const page = join(folder, 'demo.html');
    const { code, stdout, stderr } = await run([
      ...['demo', '--model', model.directory, '--calls', '2', '--html', page],
    ]);
    expect(code).toBe(0);
    for (const scenario of ['crossing', 'curve', 'lane-change', 'lead-vehicle']) {
      expect(stdout).toMatch(new RegExp(`^${scenario}-e\\d+-t\\d+`, 'm'));
    }
    expect(stdout).toMatch(/^mean of 16 /m);
    expect(stderr).toContain(page);
    expect(readFileSync(page, 'utf8')).toContain('crossing-e0-t140');
  });

  test('--json has a row a window', async () => {
    const page = join(folder, 'demo-json.html');
    const { code, stdout } = await run([
      ...['demo', '--model', model.directory, '--calls', '1', '--html', page, '--json'],
    ]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.page).toBe(page);
    expect(report.rows).toHaveLength(16);
    for (const row of report.rows) {
      expect(row.plans.map(({ steps }: { steps: number }) => steps)).toEqual([1, 5]);
      for (const plan of row.plans) expect(plan.ade).toBeGreaterThan(0);
      expect(row.constantVelocity.ade).toBeGreaterThan(0);
    }
  });
});
