import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { parseSafetensors, type Safetensors } from '../model/safetensors.js';
import { kPdmsSchema, PdmsGolden, pdmsGroup } from './pdms-golden.js';

/** A case of a golden file: scalars by name, and arrays by field through {@link Golden}. */
export interface GoldenCase {
  readonly id: string;
  readonly tensors?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** A float array with its shape. */
export interface Floats {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** One golden file: reference results of one group of operations. */
export class Golden {
  readonly path: string;
  readonly group: string;
  readonly tolerance: Readonly<Record<string, unknown>>;
  readonly cases: readonly GoldenCase[];
  readonly #tensors: Safetensors | undefined;

  constructor(path: string, content: Readonly<Record<string, unknown>>) {
    this.path = path;
    this.group = String(content.group);
    this.tolerance = (content.tolerance ?? {}) as Record<string, unknown>;
    this.cases = content.cases as GoldenCase[];
    const file = content.tensor_file;
    if (typeof file === 'string') {
      const full = join(dirname(path), file);
      this.#tensors = parseSafetensors(readFileSync(full), full);
    }
  }

  /** A stated limit. Throws when the file does not state it: no limit is ever made up. */
  limit(name: string): number {
    return numberOf(this.tolerance[name], `tolerance.${name}`);
  }

  /** Whether the case has the array. */
  has(test: GoldenCase, field: string): boolean {
    return test.tensors?.[field] !== undefined;
  }

  /** An array of any float type, exactly, in double. */
  floats(test: GoldenCase, field: string): Floats {
    const { shape, data } = this.#stored(test, field);
    if (data instanceof Float64Array || data instanceof Float32Array) {
      return { shape, data: Float64Array.from(data) };
    }
    throw malformed(`${test.id}.${field} holds no F32 or F64`);
  }

  /** An F32 array, as the engine takes it. */
  float32(test: GoldenCase, field: string): Float32Array {
    return Float32Array.from(this.floats(test, field).data);
  }

  /** An I64 array of values that fit 32 bits. */
  ints(test: GoldenCase, field: string): Int32Array {
    const { data } = this.#stored(test, field);
    if (data instanceof Int32Array) return data;
    if (!(data instanceof BigInt64Array)) throw malformed(`${test.id}.${field} holds no I64`);
    return Int32Array.from(data, (value) => {
      if (BigInt.asIntN(32, value) === value) return Number(value);
      throw malformed(`${test.id}.${field}: ${value} does not fit 32 bits`);
    });
  }

  /** A U8 array. */
  bytes(test: GoldenCase, field: string): Uint8Array {
    const { data } = this.#stored(test, field);
    if (data instanceof Uint8Array) return data;
    throw malformed(`${test.id}.${field} holds no U8`);
  }

  shape(test: GoldenCase, field: string): readonly number[] {
    return this.#stored(test, field).shape;
  }

  #stored(test: GoldenCase, field: string) {
    const key = test.tensors?.[field];
    const tensor = key === undefined ? undefined : this.#tensors?.tensors.get(key);
    if (tensor === undefined) throw malformed(`${test.id} has no array ${field}`);
    return tensor;
  }
}

/** A scalar of a golden file; non-finite ones are written as strings. */
export function numberOf(value: unknown, name: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  throw malformed(`${name} is no number`);
}

function malformed(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', `golden file: ${message}`);
}

/** A golden file that cannot be read counts as a failure of its group. */
export interface BrokenGolden {
  readonly path: string;
  readonly group: string;
  readonly error: string;
}

/**
 * Golden files under a directory, in path order: JSON files with a `group` and `cases`, and those of schema
 * `pdms-golden/1`, one group a kind. Other JSON files (model configurations, manifests) are passed over.
 */
export function findGoldens(directory: string): (Golden | PdmsGolden | BrokenGolden)[] {
  const found: (Golden | BrokenGolden)[] = [];
  const pdms = new Map<string, string[]>();
  const entries = statSync(directory).isDirectory()
    ? readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) =>
        join(directory, name),
      )
    : [directory];
  for (const path of entries.filter((name) => name.endsWith('.json')).sort()) {
    let content: unknown;
    try {
      content = JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      found.push({ path, group: path, error: String(error) });
      continue;
    }
    const file = content as Record<string, unknown> | null;
    if (file?.schema === kPdmsSchema) {
      const group = pdmsGroup(path, file.input);
      pdms.set(group, [...(pdms.get(group) ?? []), path]);
      continue;
    }
    if (typeof file?.group !== 'string' || !Array.isArray(file.cases)) continue;
    try {
      found.push(new Golden(path, file));
    } catch (error) {
      found.push({ path, group: file.group, error: String(error) });
    }
  }
  return [...found, ...[...pdms].map(([group, files]) => new PdmsGolden(group, files))];
}
