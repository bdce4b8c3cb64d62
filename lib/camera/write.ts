import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeFileDurable } from '../files.js';
import { replaceFolder } from '../replace-folder.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { AnswerBalance, type AnswerShare } from './answer-balance.js';
import { type CameraFrames, CameraRenderer } from './camera.js';
import { type LayoutKind, layoutsOf } from './layout.js';
import { type CameraOptions, checkCameraOptions } from './options.js';
import { encodePng } from '../vision/encode-image.js';
import { checkPatches, kPatchQuestion, patchLabelsOf } from './patch-labels.js';
import { planConversation } from './plan-conversation.js';
import { type QuestionKind, questionsAbout } from './questions.js';
import { type SceneTruth, sceneTruth } from './scene-truth.js';

/** Options of {@link writeCameraData}. */
export interface WriteCameraOptions extends CameraOptions {
  /** Also write questions with their answers, and captions. Default false. */
  questions?: boolean;
  /** Also write plans: what to drive, asked with command and state. Default false. */
  plans?: boolean;
  /** Also write layouts: places of the road and of road users. Default false. */
  layouts?: boolean;
  /**
   * Also write what each patch shows ({@link kPatchLabels}), so many patches a side: as many as the vision tower makes of the
   * picture. Pictures have to be square. Default none.
   */
  patches?: number;
  /** Replace an earlier result in `folder`; a folder that holds anything else is never replaced. Default false. */
  overwrite?: boolean;
  /** Called after each batch with the pictures written so far. */
  onProgress?: (pictures: number) => void;
  /** Stops the work; the call rejects with the signal's reason and leaves nothing behind. */
  signal?: AbortSignal;
}

/** What was written. */
export interface CameraSummary {
  pictures: number;
  width: number;
  height: number;
  seed: number;
  /** Bytes of all pictures. */
  bytes: number;
  /** By kind; null where no questions were asked for. */
  questions: Partial<Record<QuestionKind, AnswerShare>> | null;
  /** Plans, and windows without one: less than 4 s are recorded after them. Null where none were asked for. */
  plans: { written: number; leftOut: number } | null;
  /** By kind; null where none were asked for. */
  layouts: Partial<Record<LayoutKind, number>> | null;
  /** Patches a side, and how many have each label. Null where none were asked for. */
  patches: { side: number; labels: Record<string, number> } | null;
}

const kBatch = 32; // frames of one native call at most
const kBatchBytes = 2 ** 28; // of their pictures, ids and depths
const kOwn = new Set([
  ...['images', 'images.jsonl', 'questions.jsonl', 'plans.jsonl', 'layouts.jsonl'],
  ...['patches.jsonl', 'camera.json'],
]);

/** A batch that was rendered. */
interface Shot {
  windows: readonly ScenarioWindow[];
  /** Paths of their pictures. */
  names: readonly string[];
  frames: CameraFrames;
  /** Where something asks for it. */
  truths: readonly SceneTruth[];
}

/** A file of rows: what a batch adds to it. */
interface RowFile {
  name: string;
  rows: (shot: Shot) => object[];
}

/**
 * Renders windows and writes `images/000000.png`, ..., a row each in `images.jsonl`, with `questions` their questions in
 * `questions.jsonl`, with `plans` plans in `plans.jsonl`, with `layouts` places in `layouts.jsonl`, with `patches` labels in
 * `patches.jsonl`, and a summary in `camera.json` (docs/camera.md). Memory holds two batches of 32 pictures. All is written
 * beside `folder` under a temporary name, flushed and renamed at the end.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when `folder` exists and may not be replaced, `ERR_RANGE`, `ERR_IO`; the signal's
 *   reason when it aborts.
 */
export async function writeCameraData(
  folder: string,
  windows: Iterable<ScenarioWindow> | AsyncIterable<ScenarioWindow>,
  options: WriteCameraOptions = {},
): Promise<CameraSummary> {
  const { questions = false, plans = false, layouts = false, overwrite = false } = options;
  const { onProgress, signal } = options;
  const { width, height, seed } = checkCameraOptions(options);
  const patches =
    options.patches === undefined ? null : checkPatches(options.patches, width, height);
  const balance = new AnswerBalance();
  const summary: CameraSummary = {
    ...{ pictures: 0, width, height, seed, bytes: 0, questions: null },
    plans: plans ? { written: 0, leftOut: 0 } : null,
    layouts: layouts ? {} : null,
    patches: patches === null ? null : { side: patches, labels: {} },
  };
  const kinds: RowFile[] = [
    { name: 'images.jsonl', rows: imageRows },
    ...(questions ? [{ name: 'questions.jsonl', rows: questionRows(balance, seed) }] : []),
    ...(summary.plans ? [{ name: 'plans.jsonl', rows: planRows(summary.plans) }] : []),
    ...(summary.layouts ? [{ name: 'layouts.jsonl', rows: layoutRows(summary.layouts) }] : []),
    ...(summary.patches
      ? [{ name: 'patches.jsonl', rows: patchRows(summary.patches, options) }]
      : []),
  ];
  const wants = { objects: questions || layouts, ids: patches !== null, depth: patches !== null };
  const batchSize = Math.min(kBatch, Math.max(1, Math.floor(kBatchBytes / (width * height * 11))));
  const own = { overwrite, isOwn: (name: string) => kOwn.has(name), writer: 'camera' };
  await replaceFolder(folder, own, async (temporary) => {
    await mkdir(join(temporary, 'images'));
    const camera = new CameraRenderer(options);
    const files: FileHandle[] = [];
    // One batch is rendered while the one before is written.
    let storing: Promise<void> = Promise.resolve();
    try {
      for (const { name } of kinds) files.push(await open(join(temporary, name), 'wx'));
      const store = async (batch: readonly ScenarioWindow[], frames: CameraFrames) => {
        const names = batch.map((_, i) => imageName(summary.pictures + i));
        summary.bytes += await writePictures(temporary, names, frames);
        const truths = (frames.objects ?? []).map((objects, i) =>
          sceneTruth(batch[i], objects, width * height),
        );
        const shot = { windows: batch, names, frames, truths };
        for (const [i, { rows }] of kinds.entries()) await writeRows(files[i], rows(shot));
        summary.pictures += batch.length;
        onProgress?.(summary.pictures);
      };
      for await (const batch of batchesOf(windows, batchSize)) {
        const frames = await camera.render(batch, { ...wants, signal });
        await storing;
        storing = store(batch, frames);
        storing.catch(() => {}); // it is awaited later
      }
      await storing;
      signal?.throwIfAborted();
      for (const file of files) await file.sync();
    } finally {
      await storing.catch(() => {});
      for (const file of files) await file.close();
      await camera.close();
    }
    if (questions) summary.questions = balance.shares();
    await syncFolder(join(temporary, 'images'));
    const text = `${JSON.stringify(summary, null, 2)}\n`;
    await writeFileDurable(join(temporary, 'camera.json'), text);
  });
  return summary;
}

const imageName = (i: number) => `images/${String(i).padStart(6, '0')}.png`;

function imageRows({ windows, names, frames: { width, height } }: Shot): object[] {
  return windows.map(({ id, recording, ego, t0, split, command }, i) => {
    const row = { id, image: names[i], recording_id: recording.id, split, ego, t0, command };
    return { ...row, width, height };
  });
}

const questionRows =
  (balance: AnswerBalance, seed: number) =>
  ({ truths, names }: Shot): object[] =>
    truths.flatMap((truth, i) =>
      questionsAbout(truth, { seed })
        .filter((question) => balance.accept(question))
        .map(({ kind, question, content, answer }) => ({
          ...rowOf(truth.window, names[i], kind, [question, content]),
          answer,
        })),
    );

/** Windows whose future is too short have none. */
const planRows =
  (counts: NonNullable<CameraSummary['plans']>) =>
  ({ windows, names }: Shot): object[] =>
    windows.flatMap((window, i) => {
      const { user, answer, fields } = planConversation(window);
      if (answer === null) {
        counts.leftOut += 1;
        return [];
      }
      counts.written += 1;
      return [{ ...rowOf(window, names[i], 'plan', [user, answer]), fields }];
    });

const layoutRows =
  (counts: NonNullable<CameraSummary['layouts']>) =>
  ({ truths, names }: Shot): object[] =>
    truths.flatMap((truth, i) =>
      layoutsOf(truth).map(({ kind, question, answer }) => {
        counts[kind] = (counts[kind] ?? 0) + 1;
        return rowOf(truth.window, names[i], kind, [question, answer]);
      }),
    );

const patchRows =
  ({ side, labels }: NonNullable<CameraSummary['patches']>, options: CameraOptions) =>
  ({ windows, names, frames }: Shot): object[] =>
    windows.map((window, i) => {
      const patches = patchLabelsOf(window, frames, i, side, options);
      for (const label of patches) labels[label] = (labels[label] ?? 0) + 1;
      return { ...rowOf(window, names[i], 'patches', [kPatchQuestion]), patches };
    });

/** A conversation about a picture. */
function rowOf(
  { id, split }: ScenarioWindow,
  image: string,
  kind: string,
  [question, content]: readonly [question: string, answer?: string],
): object {
  const conversations = [{ role: 'user', content: question }];
  if (content !== undefined) conversations.push({ role: 'assistant', content });
  return { id: `${id}-${kind}`, image, kind, split, conversations };
}

async function writePictures(
  folder: string,
  names: readonly string[],
  { rgb, width, height }: CameraFrames,
): Promise<number> {
  const size = width * height * 3;
  const sizes = await Promise.all(
    names.map(async (name, i) => {
      const png = await encodePng({ data: rgb.subarray(i * size, (i + 1) * size), width, height });
      await writeFileDurable(join(folder, name), png);
      return png.length;
    }),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

async function writeRows(file: FileHandle, rows: readonly object[]): Promise<void> {
  if (rows.length > 0)
    await file.appendFile(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

async function* batchesOf<T>(items: Iterable<T> | AsyncIterable<T>, size: number) {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
