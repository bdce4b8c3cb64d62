import { type Command, Option } from 'commander';
import { type GenerateSummary, writeGeneratedScenarios } from '../generate/write.js';
import { kRoadKinds, type RoadKind } from '../generate/world.js';
import {
  type CommonOptions,
  choiceListOption,
  defineCommand,
  integerOption,
  note,
  numberOption,
  print,
  printJson,
} from './command.js';
import { integer, Progress } from './progress.js';
import { withInterrupt } from './run.js';
import { renderTable } from './table.js';

interface Flags extends CommonOptions {
  output: string;
  windows: number;
  seed: number;
  kinds: RoadKind[];
  splitVal: number;
  perScene: number;
  perEgo: number;
  expert?: boolean;
  force?: boolean;
}

/** `wam-flow generate`: scenarios from a seed. */
export function generateCommand(): Command {
  return defineCommand(
    'generate',
    'make scenarios: roads, traffic and planning windows from a seed',
    'wam-flow generate --output data/generated --windows 2000 --seed 1',
  )
    .requiredOption('--output <dir>', 'folder for the scenarios; must not exist')
    .option('--windows <N>', 'planning windows in all', integerOption(1, 10_000_000), 1000)
    .option('--seed <N>', 'same seed, same scenes', integerOption(0, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option('--kinds <list>', kRoadKinds.join(', '))
        .argParser(choiceListOption<RoadKind>(kRoadKinds))
        .default([...kRoadKinds], 'all'),
    )
    .option('--split-val <share>', 'share of the scenes with split val', numberOption(0, 1), 0.1)
    .option('--per-scene <N>', 'windows of one scene at most', integerOption(1, 1000), 6)
    .option('--per-ego <N>', 'windows of one vehicle at most', integerOption(1, 1000), 2)
    .option('--expert', 'give each window what an expert drives, for imitation')
    .option('--force', 'replace an earlier result in --output')
    .action((flags: Flags) => withInterrupt((signal) => run(flags, signal)));
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const quiet = flags.json === true;
  const progress = new Progress({
    label: 'generate',
    total: flags.windows,
    unit: 'windows',
    silent: quiet,
  });
  const began = performance.now();
  const summary = await writeGeneratedScenarios(flags.output, {
    windows: flags.windows,
    seed: flags.seed,
    kinds: flags.kinds,
    valShare: flags.splitVal,
    windowsPerScene: flags.perScene,
    windowsPerEgo: flags.perEgo,
    expert: flags.expert,
    overwrite: flags.force,
    signal,
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  const seconds = (performance.now() - began) / 1000;
  if (quiet) {
    printJson({ output: flags.output, ...summary, windowsPerSecond: summary.windows / seconds });
    return;
  }
  report(summary);
  note(`${flags.output}: ${(summary.bytes / 1e6).toFixed(1)} MB`);
}

function report({
  scenes,
  windows,
  byKind,
  bySplit,
  rejected,
  laneChanges,
}: GenerateSummary): void {
  const rows = kRoadKinds
    .filter((kind) => byKind[kind] !== undefined)
    .map((kind) => [kind, integer(byKind[kind])]);
  print(
    renderTable(
      [{ header: 'road' }, { header: 'windows', align: 'right' }],
      [...rows, [], ['all', integer(windows)]],
    ),
  );
  const of = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, n]) => `${integer(n)} ${name}`)
      .join(', ');
  print(`\n${integer(scenes)} scenes; ${of(bySplit)}; ${integer(laneChanges)} with a lane change`);
  if (Object.keys(rejected).length > 0) {
    note(`drawn again because a rule was broken: ${of(rejected as Record<string, number>)}`);
  }
}
