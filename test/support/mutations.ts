// Changes of JSON values and of bytes for fuzzing: what fast-check draws, and how it is applied.

import fc from 'fast-check';

// biome-ignore lint/suspicious/noExplicitAny: values are changed in every way a file may be wrong.
type Json = any;

/** One change of a JSON value, at the place where `walk` (choices of children from the root on) ends. */
export interface Mutation {
  walk: readonly number[];
  kind:
    | 'replace'
    | 'remove'
    | 'repeat'
    | 'swap'
    | 'shuffle'
    | 'truncate'
    | 'copy'
    | 'nudge'
    | 'multiply';
  value: unknown;
  pick: number;
}

const kNasty = [
  ...[
    null,
    true,
    false,
    '',
    'red',
    '__proto__',
    'constructor',
    'toString',
    '\ud800',
    [],
    {},
    [[]],
    [null],
  ],
  ...[Number.NaN, Infinity, -Infinity, 0, -0, -1, 1, 2, 3, 0.5, 5, 5.5, 0.25, 1e8, -1e8, 1e8 + 1],
  ...[
    1e300,
    -1e300,
    5e-324,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    200,
    201,
    1001,
    100.5,
    'vehicle',
    'barrier',
  ],
  ...['scene', 'reactive', '9'.repeat(400), [0, 0], [0, 0, 0], [1, 2, 3, 4], [[0, 0, 0]], { t: 0 }],
] as const;

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...kNasty) },
  { weight: 2, arbitrary: fc.integer({ min: -100, max: 100 }) },
  { weight: 2, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.string() },
);

/** Changes of a JSON value. */
export const mutation: fc.Arbitrary<Mutation> = fc.record({
  walk: fc.array(fc.nat(1 << 20), { minLength: 1, maxLength: 8 }),
  kind: fc.constantFrom(
    ...(['replace', 'replace', 'remove', 'repeat', 'swap', 'shuffle', 'truncate'] as const),
    ...(['copy', 'nudge', 'nudge', 'multiply'] as const),
  ),
  value,
  pick: fc.nat(1 << 20),
});

/** Applies a change in place, if it fits the place that it leads to. */
export function mutate(root: Json, { walk, kind, value, pick }: Mutation): void {
  let holder: Json = null;
  let key: string | number = '';
  let at: Json = root;
  for (const step of walk) {
    const keys = keysOf(at);
    if (keys.length === 0) break;
    holder = at;
    key = keys[step % keys.length];
    at = at[key];
  }
  if (holder === null) return;
  const siblings = keysOf(holder);
  const other = siblings[pick % siblings.length];
  switch (kind) {
    case 'replace':
      holder[key] = structuredClone(value);
      break;
    case 'remove':
      if (Array.isArray(holder)) holder.splice(key as number, 1);
      else delete holder[key];
      break;
    case 'repeat':
      if (Array.isArray(holder)) {
        const copies = Array.from({ length: 1 + (pick % 12) }, () => structuredClone(at));
        holder.splice(key as number, 0, ...copies);
      }
      break;
    case 'swap':
      [holder[key], holder[other]] = [holder[other], holder[key]];
      break;
    case 'copy':
      holder[key] = structuredClone(holder[other]);
      break;
    case 'shuffle':
      if (Array.isArray(at)) rotate(at, pick);
      break;
    case 'truncate':
      if (Array.isArray(at)) at.length = pick % (at.length + 1);
      break;
    case 'nudge':
      if (typeof at === 'number')
        holder[key] = at + (((pick % 2001) - 1000) / 1000) * 10 ** ((pick % 13) - 9);
      break;
    case 'multiply':
      if (typeof at === 'number') holder[key] = at * 10 ** ((pick % 41) - 20);
      break;
  }
}

/** A change of bytes: some are cut out, others put in. */
export interface Splice {
  at: number;
  remove: number;
  insert: Uint8Array;
}

/** Changes of `length` bytes. */
export function splice(length: number): fc.Arbitrary<Splice> {
  const pieces = ['NaN', '1e999', '-', '\n', '"', '{', '}', '[', ']', ',', ':', '\0', 'null'];
  return fc.record({
    at: fc.nat(length),
    remove: fc.oneof(fc.nat(3), fc.nat(length)),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom(...pieces, '9'.repeat(400), '['.repeat(5000)).map((t) => Buffer.from(t)),
    ),
  });
}

export function spliced(bytes: Uint8Array, { at, remove, insert }: Splice): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

function keysOf(value: Json): (string | number)[] {
  if (typeof value !== 'object' || value === null) return [];
  return Array.isArray(value) ? [...value.keys()] : Object.keys(value);
}

function rotate(list: Json[], by: number): void {
  const cut = list.splice(0, by % (list.length + 1));
  if (by % 2 === 0) cut.reverse();
  list.push(...cut);
}
