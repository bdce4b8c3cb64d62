import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ioError } from '../files.js';
import { fileError } from './fields.js';
import { type ScenarioFile, ScenarioRows } from './rows.js';
import { slowly } from './slowly.js';
import type { ScenarioData } from './types.js';

/** Options of {@link readScenarios}. */
export interface ReadScenariosOptions {
  /** A file that holds more than this once decompressed is refused. Default 1 GiB. */
  maxBytes?: number;
}

const gunzipAsync = promisify(gunzip);
const kMaxBytes = 2 ** 30;
const kFolderFiles = ['maps', 'recordings', 'windows'] as const;

/**
 * Reads scenarios (format 1, docs/scenario-format.md) and joins windows, recordings and maps.
 *
 * @param path a folder with `maps.jsonl[.gz]`, `recordings.jsonl[.gz]` and `windows.jsonl[.gz]`; a folder of bundles
 *   (any other `*.jsonl[.gz]`); or one bundle, a file that holds rows of all three kinds.
 * @throws WamFlowError `ERR_SCENARIO` naming file, row, field, what was expected and what came; `ERR_IO` when a file
 *   cannot be read.
 */
export async function readScenarios(
  path: string,
  options: ReadScenariosOptions = {},
): Promise<ScenarioData> {
  const maxBytes = options.maxBytes ?? kMaxBytes;
  const info = await attempt(path, () => stat(path));
  const names = info.isDirectory() ? await attempt(path, () => readdir(path)) : null;
  const rows = new ScenarioRows();
  for (const file of filesOf(path, names)) {
    await attempt(file.path, async () =>
      checkSize(file.path, (await stat(file.path)).size, maxBytes),
    );
    const packed = await attempt(file.path, () => readFile(file.path));
    const bytes = isGzip(packed)
      ? await gunzipAsync(packed, { maxOutputLength: maxBytes }).catch((e) =>
          rejectGzip(file.path, e, maxBytes),
        )
      : packed;
    await slowly(rows.parse(file, bytes));
  }
  await slowly(rows.join());
  return rows.data();
}

/** Files to read, in an order that does not depend on the file system. */
function filesOf(path: string, names: readonly string[] | null): ScenarioFile[] {
  if (names === null) return [{ path, name: basename(path), kind: null }];
  const pick = (stem: string) =>
    [`${stem}.jsonl.gz`, `${stem}.jsonl`].find((name) => names.includes(name));
  const stems = kFolderFiles.filter((stem) => pick(stem) !== undefined);
  if (stems.length > 0) {
    return kFolderFiles.map((kind) => {
      const name = pick(kind);
      if (name === undefined)
        throw fileError(path, `has ${stems[0]}.jsonl but no ${kind}.jsonl or ${kind}.jsonl.gz`);
      return { path: join(path, name), name, kind };
    });
  }
  const bundles = names.filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  if (bundles.length === 0)
    throw fileError(path, 'expected a folder with scenario files (*.jsonl or *.jsonl.gz)');
  return bundles.map((name) => ({ path: join(path, name), name, kind: null }));
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 1 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function checkSize(path: string, size: number, maxBytes: number): void {
  if (size > maxBytes)
    throw fileError(path, `expected at most ${maxBytes} bytes, received ${size}`);
}

function rejectGzip(path: string, error: unknown, maxBytes: number): never {
  const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
  const problem = tooLarge
    ? `expected at most ${maxBytes} bytes, received more once decompressed`
    : `expected a whole gzip file, received a damaged one (${(error as Error).message})`;
  throw fileError(path, problem, error);
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw ioError(`cannot read ${path}`, error);
  }
}
