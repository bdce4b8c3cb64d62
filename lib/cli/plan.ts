import type { Command } from 'commander';
import { baselines } from '../eval/baselines.js';
import { Planner } from '../planner.js';
import { observationFromWindow } from '../scenario/observe.js';
import type { ScenarioData, ScenarioWindow } from '../scenario/types.js';
import { caseFromWindow } from '../viewer/build-case.js';
import {
  type CommonOptions,
  defineCommand,
  integerOption,
  note,
  print,
  printJson,
} from './command.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { addPlanFlags, describeOptions, type PlanFlags, planOptionsOf } from './plan-flags.js';
import {
  casePlanOf,
  errorsIn,
  fixed,
  type PlanRun,
  runOf,
  stepsLabel,
  writePage,
} from './plan-run.js';
import { Progress } from './progress.js';
import { withInterrupt } from './run.js';
import { renderTable } from './table.js';
import { readData, selectWindows } from './windows.js';

interface Flags extends CommonOptions, PlanFlags, DeviceFlags {
  data?: string;
  window?: string;
  model: string;
  threads: number;
  html?: string;
}

// Windows without --window: enough to look at, quick even from a data set of thousands.
const kDefaultWindows = 20;
const kConstantVelocity = baselines.find(({ name }) => name === 'constant velocity');

/** `wam-flow plan`. */
export function planCommand(): Command {
  const command = defineCommand(
    'plan',
    'plan windows of traffic and compare with what their drivers did',
    'wam-flow plan --window curve-e0-t40 --steps 1,5 --html out/curve.html',
  )
    .option('--data <path>', 'scenario file or folder (default: the examples of the package)')
    .option('--window <id>', `id, index from 0, or all (default: the first ${kDefaultWindows})`)
    .option('--model <name>', 'mini, or a checkpoint directory', 'mini')
    .option('--threads <n>', 'threads that work on one plan', integerOption(1, 1024), 1)
    .option('--html <file>', 'also write a page that shows the plans on their maps');
  addDeviceFlags(command);
  addPlanFlags(command);
  return command.action((flags: Flags) => withInterrupt((signal) => runPlan(flags, signal)));
}

async function runPlan(flags: Flags, signal: AbortSignal): Promise<void> {
  const data = await readData(flags.data);
  const windows = selectWindows(data, flags.window, kDefaultWindows);
  const planner = await Planner.load(flags.model, {
    ...deviceOf(flags),
    threads: flags.threads,
    maxSteps: Math.max(...flags.steps),
    maxSamples: flags.samples ?? 1,
  });
  try {
    await planAll(planner, flags, data, windows, signal);
  } finally {
    await planner.close();
  }
}

async function planAll(
  planner: Planner,
  flags: Flags,
  data: ScenarioData,
  windows: readonly ScenarioWindow[],
  signal: AbortSignal,
): Promise<void> {
  const progress = new Progress({
    label: 'plan',
    total: windows.length,
    unit: 'windows',
    silent: flags.json || windows.length < 2,
  });
  const planned: { window: ScenarioWindow; runs: PlanRun[] }[] = [];
  for (const window of windows) {
    planned.push({ window, runs: await planWindow(planner, window, flags, signal) });
    progress.update(planned.length);
  }
  progress.clear();

  if (flags.json) printJson(toJson(planner, flags, planned));
  else printTables(planned);
  if (windows.length < data.windows.length && flags.window === undefined) {
    note(`The first ${windows.length} of ${data.windows.length} windows; --window all plans all.`);
  }
  if (flags.html !== undefined) {
    const cases = planned.map(({ window, runs }) =>
      caseFromWindow(
        window,
        runs.map((run, i) => casePlanOf(run, stepsLabel(flags.steps[i]))),
      ),
    );
    const subtitle = `${flags.model}, ${planner.engine}, ${planner.threads} thread(s)`;
    await writePage(flags.html, cases, { title: 'wam-flow plans', subtitle });
    note(`Wrote ${flags.html}`);
  }
}

async function planWindow(
  planner: Planner,
  window: ScenarioWindow,
  flags: Flags,
  signal: AbortSignal,
): Promise<PlanRun[]> {
  const observation = observationFromWindow(window);
  const runs: PlanRun[] = [];
  for (const steps of flags.steps) {
    const options = planOptionsOf(flags, steps);
    const plan = await planner.plan(observation, { ...options, signal });
    const latency = { ms: plan.timing.totalUs / 1000, detail: 'one call' };
    runs.push(runOf(window, options, plan, latency));
  }
  return runs;
}

function printTables(planned: readonly { window: ScenarioWindow; runs: PlanRun[] }[]): void {
  const sampled = planned.some(({ runs }) => runs.some(({ minAde }) => minAde !== null));
  print(
    renderTable(
      [
        { header: 'window' },
        { header: 'plan' },
        { header: 'ADE, m', align: 'right' },
        { header: 'FDE, m', align: 'right' },
        ...(sampled ? [{ header: 'minADE, m', align: 'right' as const }] : []),
        { header: 'latency, ms', align: 'right' },
      ],
      planned.flatMap(({ window, runs }) => [
        ...runs.map((run, i) => [
          i === 0 ? window.id : '',
          planName(run),
          fixed(run.ade),
          fixed(run.fde),
          ...(sampled ? [fixed(run.minAde)] : []),
          fixed(run.latencyMs),
        ]),
        baselineRow(window, sampled),
      ]),
    ),
  );
  if (planned.length !== 1) return;
  for (const run of planned[0].runs) {
    print(`\n${planName(run)}, ego frame (x ahead, y to the left)`);
    print(
      renderTable(
        ['t, s', 'x, m', 'y, m', 'heading, rad'].map((header) => ({ header, align: 'right' })),
        rowsOf(run.plan.trajectory).map(([x, y, heading], i) => [
          ((i + 1) / 2).toFixed(1),
          x.toFixed(2),
          y.toFixed(2),
          heading.toFixed(3),
        ]),
      ),
    );
  }
}

function baselineRow(window: ScenarioWindow, sampled: boolean): string[] {
  const { ade, fde } = kConstantVelocity
    ? errorsIn(window, kConstantVelocity.plan(window))
    : { ade: null, fde: null };
  return ['', 'constant velocity', fixed(ade), fixed(fde), ...(sampled ? [''] : []), ''];
}

/** `5 steps (median, renoise rule, seed 0)`, and how many ran where a deadline cut it short. */
function planName({ options, plan }: PlanRun): string {
  const { steps = 1 } = options;
  const cut = plan.stepsRun < steps ? `, ${plan.stepsRun} ran` : '';
  return `${stepsLabel(steps)}${cut} (${describeOptions(options)})`;
}

function toJson(
  planner: Planner,
  flags: Flags,
  planned: readonly { window: ScenarioWindow; runs: PlanRun[] }[],
): unknown {
  return {
    model: flags.model,
    data: flags.data ?? 'examples',
    device: planner.device,
    isa: planner.isa,
    threads: planner.threads,
    intervalS: planner.intervalS,
    plans: planned.flatMap(({ window, runs }) =>
      runs.map(({ options, plan, ade, fde, minAde, latencyMs }) => ({
        window: window.id,
        options,
        stepsRun: plan.stepsRun,
        trajectory: rowsOf(plan.trajectory),
        refinements: plan.refinements.map(rowsOf),
        samples: plan.samples.length > 1 ? plan.samples.map(rowsOf) : [],
        confidence: plan.confidence,
        ade,
        fde,
        minAde,
        latencyMs,
        timing: plan.timing,
      })),
    ),
  };
}

/** [n, 3] as n rows. */
function rowsOf(trajectory: Float32Array): number[][] {
  return Array.from({ length: trajectory.length / 3 }, (_, i) => [
    ...trajectory.subarray(3 * i, 3 * i + 3),
  ]);
}
