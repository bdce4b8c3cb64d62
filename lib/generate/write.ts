import { join } from 'node:path';
import { writeFileDurable } from '../files.js';
import { replaceFolder } from '../replace-folder.js';
import { packBundle } from '../scenario/write.js';
import { generateScenes, joinScenes } from './generate.js';
import { checkOptions, type GenerateOptions } from './options.js';
import type { GeneratedScene } from './scene.js';
import type { Violation } from './validate/violation.js';

/** Options of {@link writeGeneratedScenarios}. */
export interface WriteGeneratedOptions extends GenerateOptions {
  /** Replace an earlier result in `folder`; a folder that holds anything else is never replaced. Default false. */
  overwrite?: boolean;
  /** Called after each scene with the windows made so far and the number wanted. */
  onProgress?: (windows: number, total: number) => void;
}

/** What was written. */
export interface GenerateSummary {
  seed: number;
  scenes: number;
  windows: number;
  /** Windows by kind of road and by split. */
  byKind: Record<string, number>;
  bySplit: Record<string, number>;
  byCommand: Record<string, number>;
  laneChanges: number;
  /** Attempts at scenes that broke a rule and were drawn again, by rule. */
  rejected: Partial<Record<Violation['rule'], number>>;
  /** Bytes of all bundles. */
  bytes: number;
}

const kScenesPerBundle = 40;
const kSummaryFile = 'generate.json';
const isOwnFile = (name: string) => /^(scenes-\d+\.jsonl\.gz|generate\.json)$/.test(name);

/**
 * Generates scenarios and writes them to `folder` as bundles of 40 scenes (`scenes-00000.jsonl.gz`, ...) with a summary
 * (`generate.json`); `readScenarios(folder)` reads them. Memory holds one bundle at a time. All is written beside
 * `folder` under a temporary name, flushed and renamed at the end: a kill leaves no half result.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when `folder` exists and may not be replaced, `ERR_RANGE`, `ERR_IO`; the signal's
 *   reason when it aborts, and then nothing is left behind.
 */
export async function writeGeneratedScenarios(
  folder: string,
  options: WriteGeneratedOptions = {},
): Promise<GenerateSummary> {
  const { windows: total, request } = checkOptions(options);
  const summary: GenerateSummary = {
    seed: request.seed,
    scenes: 0,
    windows: 0,
    byKind: {},
    bySplit: {},
    byCommand: {},
    laneChanges: 0,
    rejected: {},
    bytes: 0,
  };
  const own = { overwrite: options.overwrite ?? false, isOwn: isOwnFile, writer: 'generate' };
  await replaceFolder(folder, own, async (temporary) => {
    let pending: GeneratedScene[] = [];
    let bundles = 0;
    const flush = async () => {
      const bytes = await packBundle(joinScenes(pending));
      const file = `scenes-${String(bundles).padStart(5, '0')}.jsonl.gz`;
      await writeFileDurable(join(temporary, file), bytes);
      summary.bytes += bytes.length;
      bundles += 1;
      pending = [];
    };
    for await (const scene of generateScenes(options)) {
      pending.push(scene);
      count(summary, scene);
      options.onProgress?.(summary.windows, total);
      if (pending.length === kScenesPerBundle) await flush();
    }
    if (pending.length > 0) await flush();
    await writeFileDurable(join(temporary, kSummaryFile), `${JSON.stringify(summary, null, 2)}\n`);
  });
  return summary;
}

function count(summary: GenerateSummary, { map, windows, rejected }: GeneratedScene): void {
  const add = (counts: Record<string, number>, key: string, n = 1) => {
    counts[key] = (counts[key] ?? 0) + n;
  };
  summary.scenes += 1;
  summary.windows += windows.length;
  add(summary.byKind, map.location, windows.length);
  for (const { split, command, laneChange } of windows) {
    add(summary.bySplit, split);
    add(summary.byCommand, command);
    if (laneChange) summary.laneChanges += 1;
  }
  for (const { rule } of rejected) add(summary.rejected as Record<string, number>, rule);
}
