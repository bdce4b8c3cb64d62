import { describe, WamFlowError } from '../errors.js';

/** Any coordinate beyond this many metres is a mistake (UTM northings reach 1e7). */
export const kMaxCoordinate = 1e8;

/** A parsed JSON object whose fields nobody has looked at yet. */
export type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the fields of one row and names file, row, field, expected and received when one is wrong.
 * Paths are built only on failure, so that a hundred thousand numbers cost one comparison each.
 */
export class Fields {
  readonly #where: string;
  readonly #value: Json;
  readonly #path: string;

  /** @param where file and row, e.g. `maps.jsonl.gz, row 3`. @param path of `value` inside the row. */
  constructor(where: string, value: unknown, path = '') {
    this.#where = where;
    this.#path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fieldError(where, path || 'row', 'an object', value);
    }
    this.#value = value as Json;
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined && Object.hasOwn(this.#value, name);
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
  }

  fail(name: string, expected: string, received: unknown = this.get(name)): WamFlowError {
    return fieldError(this.#where, this.#at(name), expected, received);
  }

  /** The same row, one object deeper. */
  at(name: string, index: number, value: unknown): Fields {
    return new Fields(this.#where, value, `${this.#at(name)}[${index}]`);
  }

  /** The object in field `name`. */
  object(name: string): Fields {
    return new Fields(this.#where, this.get(name), this.#at(name));
  }

  text(name: string, fallback?: string, max = 256): string {
    const value = this.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value !== 'string' || value.length > max)
      throw this.fail(name, `text of at most ${max} characters`);
    return value;
  }

  name(name: string, max = 256): string {
    const value = this.text(name, undefined, max);
    if (value.length === 0) throw this.fail(name, `text of 1 to ${max} characters`);
    return value;
  }

  flag(name: string, fallback?: boolean): boolean {
    const value = this.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value !== 'boolean') throw this.fail(name, 'true or false');
    return value;
  }

  number(name: string, min: number, max: number): number {
    const value = this.get(name);
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.fail(name, `a number from ${min} to ${max}`);
    }
    return value;
  }

  /** A number, or null when the field is absent or null. */
  numberOrNull(name: string, min: number, max: number): number | null {
    const value = this.get(name);
    return value === undefined || value === null ? null : this.number(name, min, max);
  }

  integer(name: string, min: number, max: number): number {
    const value = this.get(name);
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw this.fail(name, `an integer from ${min} to ${max}`);
    }
    return value as number;
  }

  list(name: string, min: number, max: number): readonly unknown[] {
    const value = this.get(name);
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw this.fail(name, `an array of ${min} to ${max} items`);
    }
    return value;
  }

  /** Tuples of `size` numbers of magnitude at most `limits[k]` each; `form` names them, e.g. `[x, y]`. */
  tuples(
    name: string,
    min: number,
    max: number,
    form: string,
    limits: readonly number[],
  ): number[][] {
    return this.list(name, min, max).map((tuple, i) => {
      if (!Array.isArray(tuple) || tuple.length !== limits.length)
        throw this.fail(`${name}[${i}]`, form, tuple);
      for (const [k, limit] of limits.entries()) {
        const v: unknown = tuple[k];
        if (typeof v !== 'number' || !(v >= -limit && v <= limit))
          throw this.fail(`${name}[${i}][${k}]`, `a number of magnitude at most ${limit}`, v);
      }
      return tuple.slice();
    });
  }

  /** Like `list`, but an absent field is an empty list. */
  optionalList(name: string, max: number): readonly unknown[] {
    return this.has(name) ? this.list(name, 0, max) : [];
  }

  /** `count` numbers of magnitude at most `limit`. */
  numbers(name: string, count: number, limit: number): Float64Array {
    const value = this.get(name);
    if (!Array.isArray(value) || value.length !== count)
      throw this.fail(name, `an array of ${count} numbers`);
    const out = new Float64Array(count);
    for (let i = 0; i < count; ++i) {
      const v: unknown = value[i];
      if (typeof v !== 'number' || !(v >= -limit && v <= limit)) {
        throw this.fail(`${name}[${i}]`, `a number of magnitude at most ${limit}`, v);
      }
      out[i] = v;
    }
    return out;
  }

  /** Points [x, y] in metres. */
  points(name: string, min: number, max: number): [number, number][] {
    return this.list(name, min, max).map((point, i) => this.#point(point, `${name}[${i}]`));
  }

  /** One ring or list of points that is itself an item of a list. */
  pointsOf(value: unknown, name: string, min: number, max: number): [number, number][] {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw this.fail(name, `an array of ${min} to ${max} points`, value);
    }
    return value.map((point, i) => this.#point(point, `${name}[${i}]`));
  }

  #point(point: unknown, name: string): [number, number] {
    if (!Array.isArray(point) || point.length !== 2)
      throw this.fail(name, '[x, y] in metres', point);
    for (let k = 0; k < 2; ++k) {
      const v: unknown = point[k];
      if (typeof v !== 'number' || !(v >= -kMaxCoordinate && v <= kMaxCoordinate)) {
        throw this.fail(`${name}[${k}]`, `a number of magnitude at most ${kMaxCoordinate}`, v);
      }
    }
    return [point[0], point[1]];
  }

  #at(name: string): string {
    return this.#path ? `${this.#path}.${name}` : name;
  }
}

/** ERR_SCENARIO that names file, row, field, what was expected and what came. */
export function fieldError(
  where: string,
  field: string,
  expected: string,
  received: unknown,
): WamFlowError {
  const got = received === undefined ? 'nothing' : describe(received);
  return new WamFlowError(
    'ERR_SCENARIO',
    `${where}: ${field}: expected ${expected}, received ${got}`,
  );
}

/** ERR_SCENARIO about a whole file. */
export function fileError(file: string, problem: string, cause?: unknown): WamFlowError {
  return new WamFlowError(
    'ERR_SCENARIO',
    `${file}: ${problem}`,
    cause === undefined ? {} : { cause },
  );
}
