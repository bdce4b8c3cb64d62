import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { WamFlowError } from '../errors.js';
import type { ConversationFile } from './conversation-file.js';
import type { EncodedRow, RowEncoder, SkipReason } from './encode-row.js';
import { LineIndex } from './line-index.js';
import type { CheckedSource } from './options.js';
import { type ConversationRow, parseRow } from './row.js';

/** A row that is used, with its tokens. */
export interface UsedRow {
  row: ConversationRow;
  encoded: EncodedRow;
  /** File and line, for errors. */
  where: string;
  line: number;
}

/** How opening goes on. */
export interface OpenHooks {
  signal?: AbortSignal | undefined;
  /** Called at most every 8 ms. */
  progress: (rows: number, bytes: number) => void;
}

const kSliceMs = 8; // the event loop gets a turn this often

/** One file of conversations: which of its lines are used, and where they lie. */
export class ConversationSet {
  readonly source: CheckedSource;
  /** Rows of the file. */
  rows = 0;
  readonly skipped: Partial<Record<SkipReason, number>> = {};
  /** Of the file's content and what was made of it: 64 hexadecimal digits. */
  digest = '';
  readonly #file: ConversationFile;
  readonly #encoder: RowEncoder;
  readonly #lines = new LineIndex();

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
      const used = this.#use(line.text, this.#file.where(line));
      if (typeof used === 'string') {
        this.skipped[used] = (this.skipped[used] ?? 0) + 1;
      } else {
        this.#lines.push(line);
        updateWith(ids, used.encoded);
      }
      if (performance.now() < until) continue;
      progress(this.rows, line.offset);
      await setImmediate();
      signal?.throwIfAborted();
      until = performance.now() + kSliceMs;
    }
    signal?.throwIfAborted();
    this.#lines.trim();
    this.digest = ids.update(this.#file.sha256).digest('hex');
  }

  /** Row `index` of those that are used, in the order of the file. */
  async at(index: number): Promise<UsedRow> {
    const line = this.#lines.at(index);
    const where = this.#file.where(line);
    const used = this.#use(await this.#file.read(line), where);
    if (typeof used !== 'string') return { ...used, where, line: line.number };
    throw new WamFlowError('ERR_CONVERSATION', `${where}: the file changed since it was opened`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #use(text: string, where: string): { row: ConversationRow; encoded: EncodedRow } | SkipReason {
    const row = parseRow(where, text);
    const { kinds, splits } = this.source;
    if (kinds && !kinds.has(row.kind)) return 'other kind';
    if (splits && (row.split === undefined || !splits.has(row.split))) return 'other split';
    const encoded = this.#encoder.encode(row);
    return typeof encoded === 'string' ? encoded : { row, encoded };
  }
}

function updateWith(hash: Hash, { ids, answerStart, counted }: EncodedRow): void {
  hash.update(Int32Array.of(ids.length, answerStart));
  hash.update(counted);
  hash.update(ids);
}

function isArray(where: string): WamFlowError {
  return new WamFlowError(
    'ERR_CONVERSATION',
    `${where}: expected a JSON object on each line, received the begin of a list. jq -c '.[]' makes lines of a list`,
  );
}
