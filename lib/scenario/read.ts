import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileError } from './fields.js';
import { attempt, readBytes } from './read-bytes.js';
import { type ScenarioFile, ScenarioRows } from './rows.js';
import { slowly } from './slowly.js';
import type { ScenarioData } from './types.js';

/** Options of {@link readScenarios}. */
export interface ReadScenariosOptions {
  /** A file that holds more than this once decompressed is refused. Default 1 GiB. */
  maxBytes?: number;
}

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
    const bytes = await readBytes(file.path, maxBytes);
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
