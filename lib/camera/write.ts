import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeFileDurable } from '../files.js';
import { replaceFolder } from '../replace-folder.js';
import type { ScenarioWindow } from '../scenario/types.js';
import { AnswerBalance, type AnswerShare } from './answer-balance.js';
import { type CameraFrames, CameraRenderer } from './camera.js';
import { type Layout, type LayoutKind, layoutsOf } from './layout.js';
import { type CameraOptions, checkCameraOptions } from './options.js';
import { encodePng } from '../vision/encode-image.js';
import { planConversation } from './plan-conversation.js';
import { type QuestionKind, questionsAbout } from './questions.js';
import { sceneTruth } from './scene-truth.js';

/** Options of {@link writeCameraData}. */
export interface WriteCameraOptions extends CameraOptions {
  /** Also write questions with their answers, and captions. Default false. */
  questions?: boolean;
  /** Also write plans: what to drive, asked with command and state. Default false. */
  plans?: boolean;
  /** Also write layouts: places of the road and of road users. Default false. */
  layouts?: boolean;
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
}

const kBatch = 32; // frames of one native call
const kOwn = new Set([
  ...['images', 'images.jsonl', 'questions.jsonl', 'plans.jsonl', 'layouts.jsonl'],
  'camera.json',
]);

/**
 * Renders windows and writes `images/000000.png`, ..., a row each in `images.jsonl`, with `questions` their questions in
 * `questions.jsonl`, with `plans` plans in `plans.jsonl`, with `layouts` places in `layouts.jsonl`, and a summary in `camera.json` (docs/camera.md). Memory holds two batches of 32 pictures. All is written
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
  const balance = new AnswerBalance();
  const summary: CameraSummary = {
    pictures: 0,
    width,
    height,
    seed,
    bytes: 0,
    questions: null,
    plans: plans ? { written: 0, leftOut: 0 } : null,
    layouts: layouts ? {} : null,
  };
  const own = { overwrite, isOwn: (name: string) => kOwn.has(name), writer: 'camera' };
  await replaceFolder(folder, own, async (temporary) => {
    await mkdir(join(temporary, 'images'));
    const camera = new CameraRenderer(options);
    const index = await open(join(temporary, 'images.jsonl'), 'wx');
    const asked = questions ? await open(join(temporary, 'questions.jsonl'), 'wx') : null;
    const planned = plans ? await open(join(temporary, 'plans.jsonl'), 'wx') : null;
    const laidOut = layouts ? await open(join(temporary, 'layouts.jsonl'), 'wx') : null;
    // One batch is rendered while the one before is written.
    let storing: Promise<void> = Promise.resolve();
    try {
      const store = async (batch: readonly ScenarioWindow[], frames: CameraFrames) => {
        const names = batch.map((_, i) => imageName(summary.pictures + i));
        summary.bytes += await writePictures(temporary, names, frames);
        await writeRows(
          index,
          batch.map((window, i) => imageRow(window, names[i], frames)),
        );
        const truths =
          asked || laidOut
            ? batch.map((window, i) => sceneTruth(window, frames.objects![i], width * height))
            : [];
        if (asked) {
          const rows = truths.flatMap((truth, i) =>
            questionsAbout(truth, { seed })
              .filter((question) => balance.accept(question))
              .map((question) => questionRow(truth.window, names[i], question)),
          );
          await writeRows(asked, rows);
        }
        if (laidOut && summary.layouts) {
          for (const [i, truth] of truths.entries()) {
            const found = layoutsOf(truth);
            await writeRows(
              laidOut,
              found.map((layout) => layoutRow(truth.window, names[i], layout)),
            );
            for (const { kind } of found) summary.layouts[kind] = (summary.layouts[kind] ?? 0) + 1;
          }
        }
        if (planned && summary.plans) {
          const rows = batch.flatMap((window, i) => planRow(window, names[i]) ?? []);
          await writeRows(planned, rows);
          summary.plans.written += rows.length;
          summary.plans.leftOut += batch.length - rows.length;
        }
        summary.pictures += batch.length;
        onProgress?.(summary.pictures);
      };
      for await (const batch of batchesOf(windows, kBatch)) {
        const frames = await camera.render(batch, { objects: questions || layouts, signal });
        await storing;
        storing = store(batch, frames);
        storing.catch(() => {}); // it is awaited later
      }
      await storing;
      signal?.throwIfAborted();
      for (const file of [index, asked, planned, laidOut]) await file?.sync();
    } finally {
      await storing.catch(() => {});
      for (const file of [index, asked, planned, laidOut]) await file?.close();
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

/** A row of `images.jsonl`. */
function imageRow(window: ScenarioWindow, image: string, { width, height }: CameraFrames): object {
  const { id, recording, ego, t0, split, command } = window;
  return { id, image, recording_id: recording.id, split, ego, t0, command, width, height };
}

/** A conversation about a picture. */
function rowOf(
  { id, split }: ScenarioWindow,
  image: string,
  kind: string,
  [question, content]: readonly [string, string],
): object {
  return {
    id: `${id}-${kind}`,
    image,
    kind,
    split,
    conversations: [
      { role: 'user', content: question },
      { role: 'assistant', content },
    ],
  };
}

/** A row of `questions.jsonl`. */
function questionRow(
  window: ScenarioWindow,
  image: string,
  { kind, question, content, answer }: ReturnType<typeof questionsAbout>[number],
): object {
  return { ...rowOf(window, image, kind, [question, content]), answer };
}

/** A row of `layouts.jsonl`. */
function layoutRow(
  window: ScenarioWindow,
  image: string,
  { kind, question, answer }: Layout,
): object {
  return rowOf(window, image, kind, [question, answer]);
}

/** A row of `plans.jsonl`; null where the future is too short. */
function planRow(window: ScenarioWindow, image: string): object | null {
  const { user, answer, fields } = planConversation(window);
  if (answer === null) return null;
  return { ...rowOf(window, image, 'plan', [user, answer]), fields };
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
