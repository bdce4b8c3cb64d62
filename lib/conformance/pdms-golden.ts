import { readFileSync } from 'node:fs';
import type { Check } from './check.js';

/** A case of the simulator's goldens, ready to run. */
export interface PdmsCase {
  readonly id: string;
  run(check: Check, options: { threads: number }): void;
}

/** One file of schema `pdms-golden/1`. */
export interface PdmsFile {
  readonly path: string;
  /** Name of the file without its directory and ending. */
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** By version (`v1`, `v2`), or `both`. */
  readonly expected: Readonly<Record<string, unknown>>;
}

export const kPdmsSchema = 'pdms-golden/1';

/** Files of one kind, as one group. */
export class PdmsGolden {
  readonly path: string;
  readonly group: string;
  readonly files: readonly string[];

  constructor(group: string, files: readonly string[]) {
    this.group = group;
    this.files = files;
    this.path = files[0] ?? '';
  }

  /** Reads one file; they are large, so one at a time. */
  read(path: string): PdmsFile {
    const { input, expected } = JSON.parse(readFileSync(path, 'utf8'));
    return { path, name: path.replace(/^.*[/\\]|\.json$/g, ''), input, expected };
  }
}

/** Group of a file: what its name begins with. Real traffic has the same form as made-up scenes, but its own group. */
export function pdmsGroup(path: string, input: unknown): string {
  const kind = String((input as { kind?: unknown } | undefined)?.kind);
  return /(^|[/\\])real-scene-[^/\\]*$/.test(path) ? 'real_scene' : kind;
}
