import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { argumentError, WamFlowError } from '../errors.js';
import { integerIn } from '../vision/pixels.js';
import { ConversationFile } from './conversation-file.js';
import { ConversationSet, type UsedRow } from './conversation-set.js';
import { type Draw, DrawOrder } from './draw-order.js';
import { type EncodedRow, RowEncoder, type SkipReason } from './encode-row.js';
import {
  type CheckedOptions,
  type ConversationOptions,
  type ConversationSource,
  checkOptions,
  checkSources,
} from './options.js';
import { PictureCache, toPixels } from './picture-cache.js';

/** A conversation as a model takes it; all arrays have a value for each position. */
export interface EncodedConversation extends EncodedRow {
  /** As the file says, or the number of its line. */
  id: string;
  /** Empty where the file gives none. */
  kind: string;
  /** Name of the set. */
  set: string;
  /** [pictures, 3, size, size], as `letterbox` gives them; none without pictures. */
  pixels?: Float32Array;
  /** Shortest form of the answer, where the file gives it. */
  answer?: string;
}

/** What was found in a file. */
export interface ConversationSummary {
  name: string;
  path: string;
  weight: number;
  /** Rows of the file, and how many are used. */
  rows: number;
  used: number;
  /** Why the others are not, with their numbers. */
  skipped: Partial<Record<SkipReason, number>>;
}

/** Which conversations: rows `step * count` to `(step + 1) * count` of the sequence of a seed. */
export interface BatchRequest {
  step: number;
  /** Conversations of a batch, 1 to 65,536. */
  count: number;
  /** Of the mixture and the order of rows; an integer from 0. */
  seed: number;
}

/** A row with its pictures, before they become floats. */
interface Loaded extends UsedRow {
  set: ConversationSet;
  pictures: Uint8Array[];
}

const kLoads = 4; // rows that are read and decoded at a time
const kProgressMs = 100;

/**
 * Opens files of conversations and looks at every row once (docs/conversations.md).
 *
 * Memory: 16 bytes a row that is used, the pictures of `cacheBytes`, and 64 MiB of tokens a set.
 *
 * @throws WamFlowError (the promise rejects) `ERR_CONVERSATION` with file and line where a row is not of the form, or
 *   where a set has no row left; `ERR_IO`, `ERR_ARGUMENT`, `ERR_RANGE`; the signal's reason when it aborts.
 */
export async function openConversations(
  sets: readonly ConversationSource[],
  options: ConversationOptions,
): Promise<ConversationMix> {
  const sources = checkSources(sets);
  const checked = checkOptions(options);
  const { signal, onProgress = () => {} } = options;
  const cacheBytes = integerIn('cacheBytes', options.cacheBytes ?? 1.5 * 2 ** 30, 0, 2 ** 48);
  signal?.throwIfAborted();
  const encoder = new RowEncoder(checked);
  const opened: ConversationSet[] = [];
  const files: ConversationFile[] = [];
  try {
    for (const { path } of sources) files.push(await ConversationFile.open(path));
    const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
    let before = 0;
    let told = performance.now();
    for (const [i, source] of sources.entries()) {
      const set = new ConversationSet(source, files[i], encoder);
      await set.scan({
        signal,
        progress: (rows, bytes) => {
          if (performance.now() < told + kProgressMs) return;
          told = performance.now();
          onProgress({ set: source.name, rows, bytes: before + bytes, totalBytes });
        },
      });
      if (set.size === 0) throw nothingLeft(set);
      before += files[i].size;
      onProgress({ set: source.name, rows: set.rows, bytes: before, totalBytes });
      opened.push(set);
    }
    return new ConversationMix(opened, checked, cacheBytes);
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

/** Conversations of several files, mixed by weight. Made by {@link openConversations}. */
export class ConversationMix {
  readonly summary: readonly ConversationSummary[];
  /** Of contents and options, of all but the pictures' content: mixes with the same one give the same batches. */
  readonly fingerprint: string;
  /** Conversations that are used, of all sets. */
  readonly size: number;
  readonly #sets: readonly ConversationSet[];
  readonly #options: CheckedOptions;
  readonly #order: DrawOrder;
  readonly #pictures: PictureCache;
  #ahead: { key: string; rows: Promise<Loaded[]> } | null = null;
  #closed = false;
  /** Calls that use the files. */
  readonly #running = new Set<Promise<unknown>>();

  /** @internal */
  constructor(sets: readonly ConversationSet[], options: CheckedOptions, cacheBytes: number) {
    this.#sets = sets;
    this.#options = options;
    this.#order = new DrawOrder(
      sets.map(({ source }) => source.weight),
      sets.map(({ size }) => size),
    );
    this.#pictures = new PictureCache(options.imageSize, cacheBytes);
    this.size = sets.reduce((sum, { size }) => sum + size, 0);
    this.summary = sets.map(({ source: { name, path, weight }, rows, size, skipped }) => ({
      name,
      path,
      weight,
      rows,
      used: size,
      skipped: { ...skipped },
    }));
    const { tokenizer: _, ...rest } = options;
    const parts = sets.map(({ digest, source }) => {
      const { weight, kinds, splits } = source;
      return [digest, weight, kinds && [...kinds], splits && [...splits]];
    });
    this.fingerprint = createHash('sha256')
      .update(JSON.stringify([parts, rest]))
      .digest('hex');
  }

  /**
   * Conversations of one step of training, a pure function of the request: each is of a set drawn by weight, and comes as
   * often as all others of its set, give or take one. The batch of the next step is made ready meanwhile, for a call with
   * the same `count` and `seed`.
   *
   * @throws WamFlowError (the promise rejects) as `readImage`, with file and line, when a picture of this batch cannot be
   *   read; `ERR_CONVERSATION`, `ERR_IO` when a file changed; `ERR_RANGE` beyond 2^32 conversations; `ERR_CLOSED`
   */
  async batch(request: BatchRequest): Promise<EncodedConversation[]> {
    this.#expectOpen();
    const { step, count, seed } = checkRequest(request);
    if (this.#sets.every(({ source }) => source.weight === 0)) {
      throw argumentError('sets', 'a set with a weight', 'none');
    }
    const batch = await this.#rowsOf(step, count, seed);
    this.#prepare(step + 1, count, seed);
    return batch.map((row) => this.#finish(row));
  }

  /**
   * One conversation, in the order of its file and of those that are used.
   *
   * @param set position or name of the set
   * @throws WamFlowError (the promise rejects) as {@link batch}; `ERR_RANGE` where there is no such row, `ERR_ARGUMENT`
   */
  async at(set: number | string, index: number): Promise<EncodedConversation> {
    this.#expectOpen();
    const found =
      typeof set === 'string'
        ? this.#sets.findIndex(({ source }) => source.name === set)
        : integerIn('set', set, 0, this.#sets.length - 1);
    if (found < 0) {
      const names = this.#sets.map(({ source }) => source.name).join(', ');
      throw argumentError('set', `one of ${names}`, set);
    }
    const row = integerIn('index', index, 0, this.#sets[found].size - 1);
    return this.#finish(await this.#run(this.#load({ set: found, row })));
  }

  /** Closes the files, after what is being read. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#running);
    this.#pictures.clear();
    await Promise.all(this.#sets.map((set) => set.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #expectOpen(): void {
    if (this.#closed) throw new WamFlowError('ERR_CLOSED', 'the conversations are closed');
  }

  /** Rows of a batch: those that were made ready, if it is theirs. */
  #rowsOf(step: number, count: number, seed: number): Promise<Loaded[]> {
    const ahead = this.#ahead;
    this.#ahead = null;
    return ahead?.key === keyOf(step, count, seed)
      ? ahead.rows
      : this.#loadBatch(step, count, seed);
  }

  #prepare(step: number, count: number, seed: number): void {
    if (this.#closed || this.#ahead) return;
    const rows = this.#loadBatch(step, count, seed);
    rows.catch(() => {}); // it is awaited by the call that needs it
    this.#ahead = { key: keyOf(step, count, seed), rows };
  }

  #loadBatch(step: number, count: number, seed: number): Promise<Loaded[]> {
    const load = async () => {
      const draws = this.#order.take(seed, step * count, count);
      return mapSome(draws, kLoads, (draw) => this.#load(draw));
    };
    return this.#run(load());
  }

  /** Files stay open until `work` ends. */
  #run<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const done = () => this.#running.delete(work);
    work.then(done, done);
    return work;
  }

  async #load(draw: Draw): Promise<Loaded> {
    const set = this.#sets[draw.set];
    const used = await set.at(draw.row);
    const pictures: Uint8Array[] = [];
    for (const image of used.images) {
      try {
        pictures.push(await this.#pictures.get(join(set.folder, image)));
      } catch (error) {
        if (!(error instanceof WamFlowError)) throw error;
        throw new WamFlowError(error.code, `${used.where}: ${error.message}`, { cause: error });
      }
    }
    return { ...used, set, pictures };
  }

  /** Arrays of its own, which the caller may write to. */
  #finish({ id, kind, answer, encoded, set, pictures }: Loaded): EncodedConversation {
    const { ids, imageMask, answerStart, counted, form, targets } = encoded;
    return {
      ...{ id, kind, set: set.source.name, form, answerStart },
      ...{ ids: ids.slice(), imageMask: imageMask.slice(), counted: counted.slice() },
      ...(targets === undefined ? {} : { targets: targets.slice() }),
      ...(pictures.length === 0 ? {} : { pixels: toPixels(pictures, this.#options.imageSize) }),
      ...(answer === undefined ? {} : { answer }),
    };
  }
}

const keyOf = (...request: readonly number[]) => request.join('/');

function checkRequest(request: unknown): BatchRequest {
  if (typeof request !== 'object' || request === null) {
    throw argumentError('request', 'an object { step, count, seed }', request);
  }
  const { step, count, seed } = request as Partial<BatchRequest>;
  return {
    step: integerIn('step', step, 0, 2 ** 32 - 1),
    count: integerIn('count', count, 1, 65_536),
    seed: integerIn('seed', seed, 0, Number.MAX_SAFE_INTEGER),
  };
}

/** `work` on all items, on at most `limit` at a time; the first error ends it. */
async function mapSome<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < items.length && !failed) {
      const i = next++;
      try {
        results[i] = await work(items[i]);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, worker);
  await Promise.allSettled(workers); // nothing goes on behind an error
  await Promise.all(workers);
  return results;
}

function nothingLeft({ source, rows, skipped }: ConversationSet): WamFlowError {
  const reasons = Object.entries(skipped).map(([reason, n]) => `${reason} ${n}`);
  const left = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
  return new WamFlowError(
    'ERR_CONVERSATION',
    `${source.path}: expected a row that can be used, none of ${rows} can${left}`,
  );
}
