import { cpus } from 'node:os';
import { relative } from 'node:path';
import type { Command } from 'commander';
import { chooseDevice } from '../device.js';
import { WamFlowError } from '../errors.js';
import { type Checkpoint, loadCheckpoint } from '../model/checkpoint.js';
import { addonPath, native, packageRoot } from '../native.js';
import type { Observation } from '../observation.js';
import type { Plan } from '../plan-result.js';
import { Planner } from '../planner.js';
import type { PlannerOptions } from '../planner-options.js';
import { observationFromWindow } from '../scenario/observe.js';
import { type CommonOptions, defineCommand, integerOption, print, printJson } from './command.js';
import { packageVersion } from './package-info.js';
import { exitCode } from './run.js';
import { styleFor } from './style.js';
import { readData } from './windows.js';

interface Flags extends CommonOptions {
  model: string;
  threads: number;
}

/** One line of the report. `note`: worth knowing, nothing is wrong. `failed`: wam-flow does not work here. */
interface Check {
  name: string;
  status: 'ok' | 'note' | 'failed';
  text: string;
  /** The same for machines. */
  facts: Record<string, unknown>;
}

const kCalls = 30;
// Instruction sets differ by rounding, which at worst takes a token's neighbour (0.3 m apart at the end of the grid) and
// moves the probabilities by parts in a million. A wrong kernel is off by far more. Metres or radians; a share.
const kPoseTolerance = 1;
const kConfidenceTolerance = 0.01;

/** `wam-flow doctor`: whether everything works here, and how fast. */
export function doctorCommand(): Command {
  return defineCommand(
    'doctor',
    'check that everything works on this machine, with a test plan',
    'wam-flow doctor',
  )
    .option('--model <name>', 'mini, or a checkpoint directory', 'mini')
    .option('--threads <n>', 'threads of the test plan', integerOption(1, 1024), 1)
    .action(async (flags: Flags) => {
      const checks = await examine(flags);
      const ok = checks.every(({ status }) => status !== 'failed');
      if (flags.json) printJson({ version: packageVersion(), ok, checks });
      else printReport(checks, ok);
      if (!ok) process.exitCode = exitCode.failure;
    });
}

async function examine(flags: Flags): Promise<Check[]> {
  const checks = [platformCheck()];
  const addon = await attempt('addon', addonCheck);
  checks.push(addon.check);
  if (!addon.value) return checks;
  checks.push(deviceCheck());
  const model = await attempt('model', () => modelCheck(flags.model));
  checks.push(model.check);
  const example = await attempt('examples', examplesCheck);
  checks.push(example.check);
  if (!model.value || !example.value) return checks;
  const [checkpoint, observation] = [model.value, example.value];
  checks.push(
    (await attempt('plan', () => planCheck(checkpoint, observation, flags.threads))).check,
  );
  checks.push((await attempt('isa', () => isaCheck(checkpoint, observation))).check);
  return checks;
}

function platformCheck(): Check {
  const report = process.report?.getReport() as
    | { header?: { glibcVersionRuntime?: string } }
    | undefined;
  const facts = {
    version: packageVersion(),
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    glibc: report?.header?.glibcVersionRuntime ?? null,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
  };
  const libc = facts.glibc ? `, glibc ${facts.glibc}` : '';
  return {
    name: 'system',
    status: 'ok',
    text: `wam-flow ${facts.version}, Node ${facts.node}, ${facts.platform}-${facts.arch}${libc}; ${facts.cpu}`,
    facts,
  };
}

/** What `device: 'auto'` means here, and why. */
function deviceCheck(): Check {
  const { cuda } = native().deviceInfo();
  const device = chooseDevice({}, 'auto').device;
  const list = cuda.devices.map(
    ({ name, computeCapability, memoryBytes }) =>
      `${name} (compute capability ${computeCapability}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB)`,
  );
  return {
    name: 'device',
    status: device === 'cuda' ? 'ok' : 'note',
    text: list.length > 0 ? `${device}; ${list.join(', ')}` : `${device}; no GPU: ${cuda.reason}`,
    facts: { auto: device, ...cuda },
  };
}

function addonCheck(): { check: Check; value: true } {
  const path = addonPath();
  const { isas, best, hardwareThreads } = native().cpuInfo();
  const prebuilt = relative(packageRoot(), path).startsWith('prebuilds');
  return {
    check: {
      name: 'addon',
      status: 'ok',
      text: `${path} (${prebuilt ? 'prebuilt' : 'built here'}); uses ${best} of ${isas.join(', ')}; ${hardwareThreads} hardware threads`,
      facts: { path, prebuilt, isas, isa: best, hardwareThreads },
    },
    value: true,
  };
}

async function modelCheck(name: string): Promise<{ check: Check; value: Checkpoint }> {
  const checkpoint = await loadCheckpoint(name);
  const parameters = checkpoint.tensors.reduce((sum, { data }) => sum + data.length, 0);
  return {
    check: {
      name: 'model',
      status: 'ok',
      text: `${name}: ${(parameters / 1e6).toFixed(2)} M parameters, ${checkpoint.directory}`,
      facts: { name, directory: checkpoint.directory, parameters },
    },
    value: checkpoint,
  };
}

async function examplesCheck(): Promise<{ check: Check; value: Observation }> {
  const { recordings, windows } = await readData(undefined);
  if (windows.length === 0) throw new WamFlowError('ERR_SCENARIO', 'the examples have no window');
  return {
    check: {
      name: 'examples',
      status: 'ok',
      text: `${windows.length} windows of ${recordings.size} scenarios`,
      facts: { windows: windows.length, scenarios: recordings.size },
    },
    value: observationFromWindow(windows[0]),
  };
}

/** A plan of 1 and one of 5 steps, timed; the same seed must give the same plan. */
async function planCheck(
  checkpoint: Checkpoint,
  observation: Observation,
  threads: number,
): Promise<{ check: Check; value: true }> {
  const planner = await Planner.fromCheckpoint(checkpoint, { threads });
  try {
    const [first, again] = [1, 2].map(
      () => planner.planSync(observation, { steps: 5, decode: 'sample' }).trajectory,
    );
    if (!first.every(Number.isFinite)) throw new WamFlowError('ERR_INTERNAL', 'the plan has a NaN');
    if (first.some((value, i) => value !== again[i])) {
      throw new WamFlowError('ERR_INTERNAL', 'the same seed gave two different plans');
    }
    const latencyMs = { 1: latency(planner, observation, 1), 5: latency(planner, observation, 5) };
    const times = Object.entries(latencyMs).map(
      ([steps, ms]) => `${ms.toFixed(2)} ms at ${steps} step${steps === '1' ? '' : 's'}`,
    );
    return {
      check: {
        name: 'plan',
        status: 'ok',
        text: `${times.join(', ')} (median of ${kCalls} calls, threads: ${threads}); repeatable`,
        facts: { latencyMs, threads, calls: kCalls },
      },
      value: true,
    };
  } finally {
    await planner.close();
  }
}

function latency(planner: Planner, observation: Observation, steps: number): number {
  const times = Array.from({ length: kCalls }, () => {
    const before = performance.now();
    planner.planSync(observation, { steps });
    return performance.now() - before;
  });
  return times.sort((a, b) => a - b)[kCalls >> 1];
}

/** Every instruction set and GPU that this machine has must give the same plan. */
async function isaCheck(
  checkpoint: Checkpoint,
  observation: Observation,
): Promise<{ check: Check; value: true }> {
  const engines: PlannerOptions[] = native()
    .cpuInfo()
    .isas.map((isa) => ({ isa }));
  if (chooseDevice({}, 'auto').device === 'cuda') engines.push({ device: 'cuda' });
  const names: string[] = [];
  const plans: Plan[] = [];
  for (const options of engines) {
    const planner = await Planner.fromCheckpoint(checkpoint, options);
    names.push(planner.engine);
    plans.push(planner.planSync(observation, { steps: 1 }));
    await planner.close();
  }
  const [reference] = plans;
  const pose = Math.max(
    ...plans.flatMap(({ trajectory }) =>
      Array.from(trajectory, (value, i) => Math.abs(value - reference.trajectory[i])),
    ),
  );
  const confidence = Math.max(
    ...plans.map((plan) => Math.abs(plan.confidence / reference.confidence - 1)),
  );
  const text = `largest difference of a pose ${pose.toPrecision(2)}, of the confidence ${(100 * confidence).toPrecision(2)} %`;
  if (!(pose <= kPoseTolerance && confidence <= kConfidenceTolerance)) {
    throw new WamFlowError('ERR_INTERNAL', `${names.join(', ')} do not plan the same: ${text}`);
  }
  return {
    check: {
      name: 'kernels',
      status: 'ok',
      text: `${names.join(', ')} plan the same; ${text}`,
      facts: { engines: names, poseDifference: pose, confidenceDifference: confidence },
    },
    value: true,
  };
}

/** Runs a check; what it throws becomes its failure. */
async function attempt<T>(
  name: string,
  run: () => { check: Check; value: T } | Promise<{ check: Check; value: T }>,
): Promise<{ check: Check; value?: T }> {
  try {
    return await run();
  } catch (error) {
    const code = error instanceof WamFlowError ? error.code : 'ERR_INTERNAL';
    const message = error instanceof Error ? error.message : String(error);
    return {
      check: { name, status: 'failed', text: `${code}: ${message}`, facts: { code, message } },
    };
  }
}

function printReport(checks: readonly Check[], ok: boolean): void {
  const style = styleFor(process.stdout);
  const paint = { ok: style.green, note: style.yellow, failed: style.red };
  for (const { name, status, text } of checks) {
    print(`${paint[status](status.padEnd(6))}  ${style.bold(name.padEnd(8))}  ${text}`);
  }
  print(ok ? '\nEverything works.' : '\nSomething essential fails; see above.');
}
