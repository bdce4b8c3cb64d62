// The JSON header of a safetensors file, read by a parser that knows only this grammar: JSON.parse would hide duplicate
// keys, round large integers, and build objects whose names the file chooses.

import { WamFlowError } from '../errors.js';

/** Element types that are read, with their size in bytes. */
export const kDtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  U8: 1,
  BOOL: 1,
} as const;

/** Element type of a stored tensor. */
export type Dtype = keyof typeof kDtypeBytes;

/** Where and what one tensor is. Offsets are bytes from the end of the header, `end` exclusive. */
export interface TensorEntry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A checked header: the entries cover the data exactly, without holes or overlap. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

const kMaxRank = 16;
const kMaxNameLength = 1024;

/**
 * Parses and checks a header against the number of data bytes that follow it.
 *
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT`, beginning with `source`.
 */
export function parseHeader(text: string, dataBytes: number, source: string): SafetensorsHeader {
  return new HeaderParser(text, source).parse(dataBytes);
}

/** The error for a file whose content cannot be trusted. */
export function corrupt(source: string, reason: string): WamFlowError {
  return new WamFlowError('ERR_CHECKPOINT_CORRUPT', `${source}: ${reason}`);
}

class HeaderParser {
  readonly #text: string;
  readonly #source: string;
  #at = 0;

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
  }

  parse(dataBytes: number): SafetensorsHeader {
    const tensors = new Map<string, TensorEntry>();
    let metadata: Map<string, string> | undefined;
    this.#object((name) => {
      if (name === '__metadata__') {
        if (metadata) this.#fail('__metadata__ stands twice');
        metadata = this.#metadata();
        return;
      }
      if (name === '' || name === '__proto__' || name.length > kMaxNameLength) {
        this.#fail(`tensor name ${JSON.stringify(name.slice(0, 60))} is not allowed`);
      }
      if (tensors.has(name)) this.#fail(`tensor ${JSON.stringify(name)} stands twice`);
      tensors.set(name, this.#entry(name));
    });
    this.#space();
    if (this.#at !== this.#text.length) this.#fail('text after the header object');
    this.#checkCover(tensors, dataBytes);
    return { tensors, metadata: metadata ?? new Map() };
  }

  #metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    this.#object((key) => {
      if (metadata.has(key)) this.#fail(`metadata key ${JSON.stringify(key)} stands twice`);
      metadata.set(key, this.#string());
    });
    return metadata;
  }

  #entry(name: string): TensorEntry {
    let dtype: Dtype | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.#object((key) => {
      if (key === 'dtype' && dtype === undefined) dtype = this.#dtype(name);
      else if (key === 'shape' && shape === undefined) shape = this.#integers(name, kMaxRank);
      else if (key === 'data_offsets' && offsets === undefined) offsets = this.#integers(name, 2);
      else
        this.#fail(
          `tensor ${JSON.stringify(name)} has a second or unknown key ${JSON.stringify(key)}`,
        );
    });
    if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
      this.#fail(`tensor ${JSON.stringify(name)} needs dtype, shape and two data_offsets`);
    }
    const [begin, end] = offsets as [number, number];
    let bytes: number = kDtypeBytes[dtype];
    for (const size of shape) {
      if (size !== 0 && bytes > Number.MAX_SAFE_INTEGER / size) {
        this.#fail(`tensor ${JSON.stringify(name)} has an impossible shape [${shape}]`);
      }
      bytes *= size;
    }
    if (end < begin || end - begin !== bytes) {
      this.#fail(
        `tensor ${JSON.stringify(name)} of ${dtype} [${shape}] needs ${bytes} bytes, its data_offsets are ` +
          `[${begin}, ${end}]`,
      );
    }
    return { dtype, shape, begin, end };
  }

  /** Every data byte belongs to exactly one tensor. */
  #checkCover(tensors: ReadonlyMap<string, TensorEntry>, dataBytes: number): void {
    const byOffset = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
    let at = 0;
    for (const [name, entry] of byOffset) {
      if (entry.begin !== at) {
        this.#fail(
          `tensor ${JSON.stringify(name)} begins at byte ${entry.begin} of the data where ${at} was expected`,
        );
      }
      at = entry.end;
    }
    if (at !== dataBytes)
      this.#fail(`the header describes ${at} data bytes, the file holds ${dataBytes}`);
  }

  #object(member: (key: string) => void): void {
    this.#expect('{');
    if (this.#take('}')) return;
    do {
      const key = this.#string();
      this.#expect(':');
      member(key);
    } while (this.#take(','));
    this.#expect('}');
  }

  #integers(name: string, limit: number): number[] {
    const values: number[] = [];
    this.#expect('[');
    if (this.#take(']')) return values;
    do {
      if (values.length === limit)
        this.#fail(`tensor ${JSON.stringify(name)} has a list of more than ${limit} numbers`);
      values.push(this.#integer());
    } while (this.#take(','));
    this.#expect(']');
    return values;
  }

  #integer(): number {
    this.#space();
    const start = this.#at;
    while (this.#at - start < 17 && isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    const digits = this.#text.slice(start, this.#at);
    const value = Number(digits);
    if (digits === '' || String(value) !== digits || !Number.isSafeInteger(value)) {
      this.#fail(`expected an integer from 0 to 2^53-1 at character ${start}`);
    }
    return value;
  }

  #dtype(name: string): Dtype {
    const dtype = this.#string();
    if (!Object.hasOwn(kDtypeBytes, dtype)) {
      this.#fail(
        `tensor ${JSON.stringify(name)} has dtype ${JSON.stringify(dtype.slice(0, 20))}, expected one of ` +
          Object.keys(kDtypeBytes).join(', '),
      );
    }
    return dtype as Dtype;
  }

  #string(): string {
    this.#expect('"');
    const start = this.#at;
    let plain = true;
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) break;
      // NaN (past the end) fails the comparison as well.
      if (!(code >= 0x20)) this.#fail(`a string that begins at character ${start} does not end`);
      if (code === 0x5c) {
        plain = false;
        this.#at++;
      }
    }
    const body = this.#text.slice(start, this.#at++);
    if (plain) return body;
    try {
      return JSON.parse(`"${body}"`) as string;
    } catch {
      this.#fail(`a string that begins at character ${start} has a wrong escape`);
    }
  }

  #expect(character: string): void {
    if (!this.#take(character))
      this.#fail(`expected ${character} at character ${this.#at} of the header`);
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #fail(reason: string): never {
    throw corrupt(this.#source, reason);
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
