import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WamFlowError } from '../errors.js';
import { ioError, openRegularFile } from '../files.js';

/** Where a line lies in its file. */
export interface Line {
  /** From 1 on. */
  number: number;
  /** Bytes. */
  offset: number;
  length: number;
}

const kPiece = 1 << 20;
const kMaxLine = 1 << 24; // bytes
const kDecoder = new TextDecoder('utf-8', { fatal: true });

/** A file of one JSON object a line, read once from end to end and then line by line. */
export class ConversationFile {
  readonly path: string;
  /** Its pictures are below. */
  readonly folder: string;
  /** Bytes. */
  readonly size: number;
  readonly #file: FileHandle;
  #sha256 = '';

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.folder = dirname(path);
    this.size = size;
    this.#file = file;
  }

  /** @throws WamFlowError (the promise rejects) `ERR_IO`. */
  static async open(path: string): Promise<ConversationFile> {
    try {
      const opened = await openRegularFile(path);
      if (opened) return new ConversationFile(path, opened.file, opened.size);
    } catch (error) {
      throw ioError(`cannot read ${path}`, error);
    }
    throw new WamFlowError('ERR_IO', `cannot read ${path}: it is no file`);
  }

  /** Of the whole content, once {@link lines} has come to its end: 64 hexadecimal digits. */
  get sha256(): string {
    return this.#sha256;
  }

  where({ number }: Pick<Line, 'number'>): string {
    return `${this.path}:${number}`;
  }

  /**
   * All lines that hold something.
   *
   * @throws WamFlowError `ERR_CONVERSATION` for a line of more than 16 MiB or that is no UTF-8; `ERR_IO`
   */
  async *lines(): AsyncGenerator<Line & { text: string }> {
    const hash = createHash('sha256');
    let number = 1;
    let offset = 0; // of `rest` in the file
    let rest: Buffer = Buffer.alloc(0);
    for (let position = 0; position < this.size; ) {
      const piece = await this.#bytes(position, Math.min(kPiece, this.size - position));
      hash.update(piece);
      position += piece.length;
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let from = 0;
      // A line that is still open was searched already.
      let end = bytes.indexOf(0x0a, rest.length);
      for (; end >= 0; end = bytes.indexOf(0x0a, from)) {
        const line = { number, offset: offset + from, length: end - from };
        const text = this.#decode(line, bytes.subarray(from, end));
        if (text !== '') yield { ...line, text };
        number += 1;
        from = end + 1;
      }
      rest = bytes.subarray(from);
      offset += from;
      if (rest.length > kMaxLine) throw this.#tooLong(number);
    }
    if (rest.length > 0) {
      const line = { number, offset, length: rest.length };
      const text = this.#decode(line, rest);
      if (text !== '') yield { ...line, text };
    }
    this.#sha256 = hash.digest('hex');
  }

  /**
   * One line again.
   *
   * @throws WamFlowError (the promise rejects) `ERR_IO`, `ERR_CONVERSATION`
   */
  async read(line: Line): Promise<string> {
    return this.#decode(line, await this.#bytes(line.offset, line.length));
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #decode(line: Line, bytes: Buffer): string {
    if (bytes.length > kMaxLine) throw this.#tooLong(line.number);
    try {
      return kDecoder.decode(bytes).trim();
    } catch (error) {
      throw new WamFlowError('ERR_CONVERSATION', `${this.where(line)}: expected UTF-8`, {
        cause: error,
      });
    }
  }

  #tooLong(number: number): WamFlowError {
    const limit = `expected a line of at most ${kMaxLine} bytes, received a longer one`;
    return new WamFlowError('ERR_CONVERSATION', `${this.where({ number })}: ${limit}`);
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    try {
      for (let at = 0; at < length; ) {
        const { bytesRead } = await this.#file.read(bytes, at, length - at, position + at);
        if (bytesRead === 0) throw new Error('it became shorter since it was opened');
        at += bytesRead;
      }
    } catch (error) {
      throw ioError(`cannot read ${this.path}`, error);
    }
    return bytes;
  }
}
