import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { WamFlowError } from '../errors.js';
import type { ConversationFile } from './conversation-file.js';
import type { EncodedRow, RowEncoder, SkipReason } from './encode-row.js';
import { LineIndex } from './line-index.js';
import { LruCache } from './lru-cache.js';
import type { CheckedSource } from './options.js';
import { type ConversationRow, parseRow } from './row.js';

/** A row that is used, with its tokens. Not to be written to. */
export interface UsedRow extends Pick<ConversationRow, 'images' | 'kind' | 'answer'> {
  id: string;
  encoded: EncodedRow;
  /** File and line, for errors. */
  where: string;
}

/** How opening goes on. */
export interface OpenHooks {
  signal?: AbortSignal | undefined;
  /** Called at most every 8 ms. */
  progress: (rows: number, bytes: number) => void;
}

/** Rows that are encoded when a file is opened: so that what is wrong with all of them shows at once. */
const kSampled = 256;
const kTokenBytes = 1 << 26; // of encoded rows that are kept

const kSliceMs = 8; // the event loop gets a turn this often

/** One file of conversations: which of its lines are used, and where they lie. */
export class ConversationSet {
  readonly source: CheckedSource;
  /** Rows of the file. */
  rows = 0;
  readonly skipped: Partial<Record<SkipReason, number>> = {};
  /** Of the file's content, of how its first rows are encoded and how many are used: 64 hexadecimal digits. */
  digest = '';
  readonly #file: ConversationFile;
  readonly #encoder: RowEncoder;
  readonly #lines = new LineIndex();
  readonly #kept = new LruCache<number, UsedRow>(kTokenBytes, bytesOf);

  constructor(source: CheckedSource, file: ConversationFile, encoder: RowEncoder) {
    this.source = source;
    this.#file = file;
    this.#encoder = encoder;
  }

  /** Rows that are used. */
  get size(): number {
    return this.#lines.size;
  }

  get folder(): string {
    return this.#file.folder;
  }

  /**
   * Reads the file once.
   *
   * @throws WamFlowError (the promise rejects) `ERR_CONVERSATION` with file and line, `ERR_IO`; the signal's reason
   */
  async scan({ signal, progress }: OpenHooks): Promise<void> {
    const ids = createHash('sha256');
    let until = performance.now() + kSliceMs;
    for await (const line of this.#file.lines()) {
      if (this.rows === 0 && /^\uFEFF?\[/.test(line.text)) throw isArray(this.#file.where(line));
      this.rows += 1;
      const skipped = this.#look(line.text, this.#file.where(line), ids);
      if (skipped === null) this.#lines.push(line);
      else this.skipped[skipped] = (this.skipped[skipped] ?? 0) + 1;
      if (performance.now() < until) continue;
      progress(this.rows, line.offset);
      await setImmediate();
      signal?.throwIfAborted();
      until = performance.now() + kSliceMs;
    }
    signal?.throwIfAborted();
    this.#lines.trim();
    this.digest = ids.update(`${this.#file.sha256} ${this.size}`).digest('hex');
  }

  /** Row `index` of those that are used, in the order of the file. */
  async at(index: number): Promise<UsedRow> {
    const kept = this.#kept.get(index);
    if (kept) return kept;
    const line = this.#lines.at(index);
    const where = this.#file.where(line);
    const {
      id = String(line.number),
      kind,
      images,
      answer,
      ...row
    } = parseRow(where, await this.#file.read(line));
    const encoded = this.#encoder.encode({ id, kind, images, answer, ...row });
    if (typeof encoded === 'string') {
      const changed = `the file changed since it was opened (${encoded})`;
      throw new WamFlowError('ERR_CONVERSATION', `${where}: ${changed}`);
    }
    const used = { id, kind, images, answer, encoded, where };
    this.#kept.set(index, used);
    return used;
  }

  close(): Promise<void> {
    this.#kept.clear();
    return this.#file.close();
  }

  #look(text: string, where: string, ids: Hash): SkipReason | null {
    const row = parseRow(where, text);
    const { kinds, splits } = this.source;
    if (kinds && !kinds.has(row.kind)) return 'other kind';
    if (splits && (row.split === undefined || !splits.has(row.split))) return 'other split';
    if (this.#lines.size >= kSampled) return this.#encoder.check(row);
    const encoded = this.#encoder.encode(row);
    if (typeof encoded === 'string') return encoded;
    updateWith(ids, encoded);
    return null;
  }
}

/** Roughly: its arrays, and what a few objects take. */
function bytesOf({ encoded, where }: UsedRow): number {
  const targets = encoded.targets?.byteLength ?? 0;
  return encoded.ids.byteLength * 1.5 + targets + 2 * where.length + 1000;
}

function updateWith(hash: Hash, { ids, answerStart, counted, targets }: EncodedRow): void {
  hash.update(Int32Array.of(ids.length, answerStart));
  hash.update(counted);
  hash.update(ids);
  if (targets) hash.update(targets);
}

function isArray(where: string): WamFlowError {
  return new WamFlowError(
    'ERR_CONVERSATION',
    `${where}: expected a JSON object on each line, received the begin of a list. jq -c '.[]' makes lines of a list`,
  );
}
