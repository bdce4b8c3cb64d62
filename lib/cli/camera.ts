import type { Command } from 'commander';
import { kPatchLabels } from '../camera/patch-labels.js';
import { type CameraSummary, writeCameraData } from '../camera/write.js';
import {
  type CommonOptions,
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
import { readData } from './windows.js';

interface Flags extends CommonOptions {
  data?: string;
  output: string;
  size: number;
  height?: number;
  fov?: number;
  limit?: number;
  seed: number;
  threads: number;
  questions?: boolean;
  plans?: boolean;
  layouts?: boolean;
  patches?: number;
  plain?: boolean;
  force?: boolean;
}

/** `wam-flow camera`: pictures of what drivers see, and questions about them. */
export function cameraCommand(): Command {
  return defineCommand(
    'camera',
    "render the front view of scenarios' windows, and make questions about it",
    'wam-flow camera --data data/generated --output data/pictures --questions --limit 100',
  )
    .option('--data <path>', 'scenarios (default: the examples of the package)')
    .requiredOption('--output <dir>', 'folder for pictures and rows; must not exist')
    .option('--size <px>', 'width and height of a picture', integerOption(16, 2048), 384)
    .option('--height <px>', 'height, when it is another', integerOption(16, 2048))
    .option('--fov <deg>', 'horizontal field of view (default: 64)', numberOption(10, 150))
    .option('--limit <N>', 'the first N windows (default: all)', integerOption(1, 10_000_000))
    .option(
      '--seed <N>',
      'of weather, colours, noise and wordings',
      integerOption(0, Number.MAX_SAFE_INTEGER),
      1,
    )
    .option('--threads <N>', 'threads that render', integerOption(1, 256), 1)
    .option('--questions', 'also write questions with answers, and captions')
    .option('--plans', 'also write plans: what to drive, asked with command and state')
    .option('--layouts', 'also write layouts: where the road leads, and where road users are')
    .option(
      '--patches <N>',
      'also write what each of N x N patches shows: N as the vision tower has them',
      integerOption(1, 256),
    )
    .option('--plain', 'an even day: no textures, no noise')
    .option('--force', 'replace an earlier result in --output')
    .action((flags: Flags) => withInterrupt((signal) => run(flags, signal)));
}

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const quiet = flags.json === true;
  const { windows } = await readData(flags.data);
  const chosen = windows.slice(0, flags.limit);
  const progress = new Progress({
    label: 'camera',
    total: chosen.length,
    unit: 'pictures',
    silent: quiet,
  });
  const began = performance.now();
  const summary = await writeCameraData(flags.output, chosen, {
    width: flags.size,
    height: flags.height ?? flags.size,
    fovDeg: flags.fov,
    seed: flags.seed,
    threads: flags.threads,
    questions: flags.questions,
    plans: flags.plans,
    layouts: flags.layouts,
    patches: flags.patches,
    varied: !flags.plain,
    overwrite: flags.force,
    signal,
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  const seconds = (performance.now() - began) / 1000;
  if (quiet) {
    printJson({ output: flags.output, ...summary, picturesPerSecond: summary.pictures / seconds });
    return;
  }
  report(summary);
  note(
    `${flags.output}: ${integer(summary.pictures)} pictures, ${(summary.bytes / 1e6).toFixed(1)} MB`,
  );
}

function report({ questions, plans, layouts, patches }: CameraSummary): void {
  if (plans) {
    const left =
      plans.leftOut > 0 ? `, ${integer(plans.leftOut)} left out: less than 4 s of future` : '';
    note(`${integer(plans.written)} plans${left}`);
  }
  if (layouts) {
    const counts = Object.entries(layouts).map(([kind, count]) => `${kind} ${integer(count)}`);
    note(`layouts: ${counts.join(', ') || 'none'}`);
  }
  if (patches) {
    const total = Object.values(patches.labels).reduce((sum, count) => sum + count, 0);
    const shares = Object.entries(kPatchLabels).flatMap(([label, meaning]) => {
      const share = (100 * (patches.labels[label] ?? 0)) / total;
      return share > 0 ? [`${meaning} ${share.toFixed(1)} %`] : [];
    });
    note(`${integer(total)} patches: ${shares.join('; ')}`);
  }
  if (!questions) return;
  const rows = Object.entries(questions).map(([kind, { questions: n, majority, leftOut }]) => [
    kind,
    integer(n),
    n > 0 && majority.answer.length < 20 ? majority.answer : '',
    `${(100 * majority.rate).toFixed(1)} %`,
    integer(leftOut),
  ]);
  print(
    renderTable(
      [
        { header: 'question' },
        { header: 'pairs', align: 'right' },
        { header: 'most frequent answer' },
        { header: 'share', align: 'right' },
        { header: 'left out', align: 'right' },
      ],
      rows,
    ),
  );
}
