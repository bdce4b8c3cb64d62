import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { kPlanWording } from '../camera/plan-conversation.js';
import { kCommandText } from '../camera/questions.js';
import { WamFlowError } from '../errors.js';
import { TextTokenizer } from '../tokens/text-tokenizer.js';
import { seenCase } from '../viewer/build-seen-case.js';
import type { SeenCamera, SeenCase } from '../viewer/seen-case.js';
import { renderSeenPage } from '../viewer/seen-page.js';
import { readImage } from '../vision/read-image.js';
import { VlaPlanner } from '../vla/vla-planner.js';
import type { VlaMask } from '../vla/vla-requests.js';
import {
  type CommonOptions,
  defineCommand,
  integerOption,
  note,
  print,
  printJson,
} from './command.js';
import { addDeviceFlags, type DeviceFlags, deviceOf } from './device-flags.js';
import { packageVersion } from './package-info.js';
import { withInterrupt } from './run.js';
import { printable } from './style.js';
import { writePageFile } from './write-page.js';

interface Flags extends CommonOptions, DeviceFlags {
  html: string;
  model?: string;
  tokenizer?: string;
  prompt?: string;
  system?: string;
  command: string;
  velocity: number[];
  acceleration: number[];
  mask?: VlaMask;
  steps?: number;
  seed: number;
  threads: number;
  camera?: number[];
  known?: number[];
}

const kGeneratedCamera = [64, 1.6, 5, 0.4];

/** `wam-flow see`: what a vision-language model sees of pictures, and what it plans. */
export function seeCommand(): Command {
  const command = defineCommand(
    'see',
    'write a page with what a vision-language model sees of pictures, and its plan',
    'wam-flow see front.jpg --model checkpoints/wam-flow-1.5b --command left --velocity 8.34,0.18 --html out/seen.html',
  )
    .argument('<image...>', 'JPEG or PNG files')
    .requiredOption('--html <file>', 'the page; one file that loads nothing')
    .option('--model <dir>', 'Janus, FUDOKI or WAM-Flow folder that plans (default: no plan)')
    .option('--tokenizer <dir>', 'folder of the tokenizer (default: that of --model)')
    .option(
      '--prompt <text>',
      "what the user says, with {command}, {x}, {y}, {vx}, {vy}, {ax}, {ay} (default: the model's, or this package's)",
    )
    .option('--system <text>', 'text before the conversation, with --prompt (default: none)')
    .option(
      '--command <text>',
      'where the route goes: left, right, straight, or other words',
      'straight',
    )
    .option('--velocity <vx,vy>', 'of the ego, m/s', numbersOption(2), [0, 0])
    .option('--acceleration <ax,ay>', 'of the ego, m/s^2', numbersOption(2), [0, 0])
    .addOption(
      new Option('--mask <who>', "who sees whom (default: the model's, or full)").choices([
        'full',
        'prefix',
        'causal',
      ]),
    )
    .option('--steps <n>', "refinement steps (default: the model's, or 5)", integerOption(1, 4096))
    .option('--seed <n>', 'of the first tokens', integerOption(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--threads <n>', 'threads that work on one plan', integerOption(1, 1024), 1)
    .option(
      '--camera <numbers>',
      "field of view, height, pitch, distance ahead (degrees, metres), or 'generated'; draws waypoints in the pictures",
      cameraOption,
    )
    .option('--known <x1,y1,...>', 'waypoints to compare with, metres', numbersOption());
  addDeviceFlags(command);
  return command.action((images: string[], flags: Flags) =>
    withInterrupt((signal) => see(images, flags, signal)),
  );
}

async function see(paths: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const { model, mask, threads } = flags;
  if (flags.system !== undefined && flags.prompt === undefined) {
    throw new WamFlowError('ERR_USAGE', '--system: expected together with --prompt');
  }
  if (flags.known && flags.known.length % 2 !== 0) {
    throw new WamFlowError('ERR_USAGE', '--known: expected x and y of each waypoint');
  }
  const tokenizer = flags.tokenizer && (await TextTokenizer.load(flags.tokenizer));
  const given = tokenizer ? { tokenizer } : {};
  const planner = model
    ? await VlaPlanner.load(model, { ...deviceOf(flags), threads, ...given, ...defined({ mask }) })
    : undefined;
  try {
    const cases: SeenCase[] = [];
    for (const path of paths) {
      signal.throwIfAborted();
      cases.push(await caseOf(path, flags, { ...given, planner }, signal));
      note(`${cases.length} of ${paths.length}: ${printable(path)}`, flags.json);
    }
    const subtitle = [model ? basename(model) : '', `wam-flow ${packageVersion()}`];
    const html = renderSeenPage(cases, { subtitle: subtitle.filter(Boolean).join(', ') });
    await writePageFile(flags.html, html);
    report(cases, flags);
  } finally {
    await planner?.close();
  }
}

async function caseOf(
  path: string,
  flags: Flags,
  model: { tokenizer?: TextTokenizer; planner: VlaPlanner | undefined },
  signal: AbortSignal,
): Promise<SeenCase> {
  const { planner, tokenizer } = model;
  const { prompt, system, command, mask, steps, seed, known, camera } = flags;
  const [vx, vy] = flags.velocity as [number, number];
  const [ax, ay] = flags.acceleration as [number, number];
  return seenCase({
    name: basename(path),
    image: await readImage(path),
    ...defined({ tokenizer, planner, known, mask }),
    ...(camera ? { camera: toCamera(camera) } : {}),
    // Words of one's own are taken as they are.
    ...(prompt === undefined
      ? { wording: planner?.wording ?? { user: kPlanWording } }
      : { wording: { user: prompt, ...defined({ system }) } }),
    fields: {
      command: prompt === undefined ? commandText(command) : command,
      ...{ x: 0, y: 0, vx, vy, ax, ay },
    },
    plan: { seed, signal, ...defined({ steps }) },
  });
}

/** The words that this package's conversations have for a command. */
function commandText(command: string): string {
  const known: Readonly<Record<string, string>> = kCommandText;
  return Object.hasOwn(known, command) ? known[command]! : command;
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as never;
}

function report(cases: readonly SeenCase[], flags: Flags): void {
  if (flags.json) {
    printJson({
      html: flags.html,
      images: cases.map(({ name, original, seen, sequences, plan }) => ({
        name,
        width: original.width,
        height: original.height,
        placement: seen.placement,
        imageTokens: seen.colors.length,
        positions: sequences[0]?.ids.length ?? null,
        plan,
      })),
    });
    return;
  }
  for (const { name, original, seen, sequences, plan } of cases) {
    const { placement, width } = seen;
    const positions = sequences[0] ? `, ${sequences[0].ids.length} positions` : '';
    print(
      `${printable(name)}: ${original.width} x ${original.height}, ${placement.width} x ${placement.height} of ` +
        `${width} x ${width}, ${seen.colors.length} image tokens${positions}`,
    );
    if (plan) print(`  ${printable(plan.answer.trim())}`);
  }
  note(`page: ${flags.html}`);
}

function toCamera(numbers: readonly number[]): SeenCamera {
  const [fovDeg, heightM, pitchDeg, forwardM] = numbers as [number, number, number, number];
  return { fovDeg, heightM, pitchDeg, forwardM };
}

/** Parser of `count` numbers, comma separated; any number of them without a count. */
function numbersOption(count?: number): (text: string) => number[] {
  return (text) => {
    const parts = text.split(',').map((part) => part.trim());
    const values = parts.map(Number);
    const isRight = parts.every((part, i) => part !== '' && Math.abs(values[i]!) <= 1e6);
    if (!isRight || (count !== undefined && values.length !== count)) {
      const wanted = count === undefined ? 'numbers' : `${count} numbers`;
      throw new InvalidArgumentError(`Expected ${wanted}, comma separated.`);
    }
    return values;
  };
}

function cameraOption(text: string): number[] {
  if (text === 'generated') return kGeneratedCamera;
  const camera = numbersOption(4)(text);
  const [fov, height, pitch] = camera as [number, number, number, number];
  if (!(fov >= 10 && fov <= 150 && height >= 0.2 && height <= 50 && Math.abs(pitch) <= 60)) {
    throw new InvalidArgumentError(
      'Expected a field of view from 10 to 150 degrees, a height from 0.2 to 50 m, a pitch from -60 to 60 degrees.',
    );
  }
  return camera;
}
