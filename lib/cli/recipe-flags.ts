// Parameters of a run from files and from `--set key=value`.

import { readFileSync } from 'node:fs';
import { WamFlowError } from '../errors.js';
import { ioError } from '../files.js';
import { mergeOverrides } from '../train/recipe.js';

/** Arguments of commander's `option` for `--set`. */
export function setOption(
  examples: string,
): [string, string, (text: string, before?: string[]) => string[]] {
  return [
    '--set <key=value>',
    `one value of the recipe: ${examples} (repeatable)`,
    (text, before = []) => [...before, text],
  ];
}

/** Those of `keys` that `from` has a value for. */
export function pick<T extends object, K extends keyof T>(
  from: T,
  keys: readonly K[],
): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]),
  ) as Partial<Pick<T, K>>;
}

/**
 * The recipe of `--config` with the values of `--set`.
 *
 * @param sections what it may hold: objects by these names.
 * @throws WamFlowError `ERR_USAGE`, `ERR_IO`.
 */
export function readRecipe<Section extends string>(
  path: string | undefined,
  settings: readonly string[],
  sections: readonly Section[],
): Partial<Record<Section, Record<string, unknown>>> {
  let recipe: Record<string, unknown> = {};
  if (path !== undefined) {
    const text = readText(path);
    try {
      recipe = mergeOverrides({}, JSON.parse(text));
    } catch (error) {
      throw usage(`--config: ${path} holds no JSON object: ${(error as Error).message}`);
    }
  }
  for (const setting of settings) recipe = mergeOverrides(recipe, parseSetting(setting));
  for (const [key, value] of Object.entries(recipe)) {
    const known = (sections as readonly string[]).includes(key);
    if (!known || typeof value !== 'object' || value === null) {
      throw usage(`recipe: expected objects under ${sections.join(', ')}, found "${key}"`);
    }
  }
  return recipe as Partial<Record<Section, Record<string, unknown>>>;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw ioError(`--config: cannot read ${path}`, error);
  }
}

/** `a.b=1` as `{ a: { b: 1 } }`; what is not JSON is a text. */
function parseSetting(text: string): object {
  const [, path, raw] = /^([a-zA-Z]\w*(?:\.[a-zA-Z]\w*)+)=(.*)$/s.exec(text) ?? [];
  if (path === undefined || raw === undefined) {
    throw usage(`--set: expected section.key=value, received ${JSON.stringify(text)}`);
  }
  let value: unknown = raw;
  try {
    value = JSON.parse(raw);
  } catch {
    // a text such as swiglu
  }
  return path.split('.').reduceRight((inner, key) => ({ [key]: inner }), value) as object;
}

function usage(message: string): WamFlowError {
  return new WamFlowError('ERR_USAGE', message);
}
