import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { WamFlowError } from '../errors.js';
import type { Explanation } from '../sim/explanation.js';
import type { ParsedScene, SceneTrajectory } from '../sim/parse-scene.js';
import type { OwnSubScores } from '../sim/pdm-reference.js';
import { PdmScorer, type PdmVersion } from '../sim/pdm-scorer.js';
import type { PdmScores, SubScores } from '../sim/pdm-scores.js';
import { type Predictions, readPredictions } from '../sim/read-predictions.js';
import { readSceneFile } from '../sim/read-scene.js';
import { kSubScores, stepsOf } from '../sim/score-rows.js';
import type { ScoreCase } from '../viewer/score-case.js';
import { type CommonOptions, defineCommand, integerOption, note, printJson } from './command.js';
import { Progress } from './progress.js';
import { withInterrupt } from './run.js';
import { pictureOf, writeScorePage } from './score-picture.js';
import { printMeans, printScene } from './score-table.js';

interface Flags extends CommonOptions {
  version: PdmVersion | 'both';
  explain?: boolean;
  traffic: 'replay' | 'reactive';
  predictions?: string;
  threads: number;
  html?: string;
}

/** What one trajectory got. */
export interface TrajectoryReport {
  id: string;
  label: string;
  /** `v1`: PDMS; `v2`: one frame, before extended comfort, not filtered. */
  score: number;
  /** Product of the multipliers. */
  multiplier: number;
  subScores: OwnSubScores;
  /** After the human filter (`v2` with a recorded driver, else null), and what NAVSIM printed until 2025-09-29. */
  filtered: { score: number; preFixScore: number; subScores: OwnSubScores } | null;
  progressM: number;
  referenceProgressM: number;
  referenceMultiplier: number;
  /** Steps of 0.1 s. */
  steps: { multipleLanes: number[]; nonDrivable: number[]; offRoute: number[] };
  /** With `--explain`. */
  explanations?: Explanation[];
}

/** One scene under the rules of one version. */
export interface SceneReport {
  file: string;
  scene: string;
  version: PdmVersion;
  traffic: 'replay' | 'reactive';
  /** PDM-Closed and the recorded driver (null when unknown), each judged alone. */
  pdmClosed: { subScores: OwnSubScores; progressM: number };
  human: { subScores: OwnSubScores; progressM: number } | null;
  trajectories: TrajectoryReport[];
}

/** Means of the trajectories with one id over the scenes that have it. */
export interface MeanReport {
  version: PdmVersion;
  id: string;
  scenes: number;
  score: number;
  /** Filtered where the scene has a recorded driver; null in version 1. */
  filteredScore: number | null;
  subScores: OwnSubScores;
}

/** Id of a trajectory that came from `--predictions`. */
const kPrediction = 'prediction';

/** `wam-flow score`: the PDM score of trajectories in scene files. */
export function scoreCommand(): Command {
  return defineCommand(
    'score',
    'PDM score of trajectories, with the reason for every lost mark',
    'wam-flow score scene.json --version both --explain',
  )
    .argument('<scene...>', 'scene files in JSON, plain or gzip (docs/pdm-score.md)')
    .addOption(
      new Option('--version <which>', 'v1 (PDMS), v2 (EPDMS) or both')
        .choices(['v1', 'v2', 'both'])
        .default('v2'),
    )
    .option('--explain', 'say where, when and why marks were lost')
    .addOption(
      new Option('--traffic <kind>', 'of the other vehicles; reactive is for v2')
        .choices(['replay', 'reactive'])
        .default('replay'),
    )
    .option('--predictions <file>', 'score these, one a scene, and not those of the scene files')
    .option('--threads <n>', 'threads that work on one scene', integerOption(1, 256), 1)
    .option('--html <file>', 'also write a page with a picture of each scene')
    .action((files: string[], flags: Flags) =>
      withInterrupt((signal) => runScore(files, flags, signal)),
    );
}

async function runScore(files: string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const versions: PdmVersion[] = flags.version === 'both' ? ['v1', 'v2'] : [flags.version];
  if (flags.traffic === 'reactive' && versions.includes('v1')) {
    throw new WamFlowError('ERR_USAGE', '--traffic reactive: version 1 has none; use --version v2');
  }
  const quiet = flags.json === true;
  const predictions = flags.predictions ? await readPredictions(flags.predictions) : undefined;
  const reports: SceneReport[] = [];
  const pictures: ScoreCase[] = [];
  const missing: string[] = [];
  const found = new Set<string>();
  const isLong = files.length > 1;
  const progress = isLong
    ? new Progress({ label: 'score', total: files.length, unit: 'scenes', silent: quiet })
    : undefined;
  for (const [i, file] of files.entries()) {
    signal.throwIfAborted();
    const parsed = await readSceneFile(file);
    const { id } = parsed.scene;
    const trajectories = trajectoriesOf(parsed, predictions);
    if (predictions?.has(id)) found.add(id);
    if (trajectories.length === 0) missing.push(id);
    for (const version of trajectories.length === 0 ? [] : versions) {
      const scored = await scoreScene(file, parsed, trajectories, version, flags, signal);
      reports.push(scored.report);
      if (scored.picture) pictures.push(scored.picture);
    }
    progress?.update(i + 1);
  }
  progress?.finish();
  if (reports.length === 0) {
    const what = predictions ? 'prediction' : 'trajectory';
    throw new WamFlowError('ERR_USAGE', `no scene has a ${what}: nothing to score`);
  }
  const unused = [...(predictions?.keys() ?? [])].filter((id) => !found.has(id));
  const means = meansOf(reports);
  if (flags.html !== undefined) {
    await writeScorePage(flags.html, pictures);
    note(`Wrote ${flags.html}`);
  }
  if (quiet) {
    printJson({ scenes: reports, means, missing, unused });
    return;
  }
  for (const report of reports) printScene(report);
  if (isLong) printMeans(means);
  if (missing.length > 0) note(`left out, with nothing to score: ${missing.join(', ')}`);
  if (unused.length > 0) note(`predictions of other scenes: ${unused.length}`);
}

function trajectoriesOf(
  { scene, trajectories }: ParsedScene,
  predictions: Predictions | undefined,
): readonly SceneTrajectory[] {
  if (!predictions) return trajectories;
  const poses = predictions.get(scene.id);
  return poses ? [{ id: kPrediction, label: '', poses }] : [];
}

async function scoreScene(
  file: string,
  { scene }: ParsedScene,
  trajectories: readonly SceneTrajectory[],
  version: PdmVersion,
  { traffic, threads, explain = false, html }: Flags,
  signal: AbortSignal,
): Promise<{ report: SceneReport; picture: ScoreCase | null }> {
  const scorer = named(file, () => new PdmScorer(scene, { version, traffic, threads }));
  try {
    const poses = trajectories.map((trajectory) => trajectory.poses);
    const pictured = html !== undefined;
    const options = { explain: explain || pictured, rollouts: pictured, signal };
    const scores = await scorer.score(poses, options);
    const { pdmClosed, human } = scorer.reference;
    const report: SceneReport = {
      file,
      scene: scene.id,
      version,
      traffic,
      pdmClosed: { subScores: pdmClosed.subScores, progressM: pdmClosed.progressM },
      human,
      trajectories: trajectories.map((trajectory, i) => reportOf(trajectory, scores, i, explain)),
    };
    return { report, picture: pictured ? pictureOf(scorer, trajectories, scores) : null };
  } finally {
    await scorer.close();
  }
}

/** Errors of `make` name the file. */
function named<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof WamFlowError)) throw error;
    const message = `${basename(file)}: ${error.message}`;
    throw new WamFlowError(error.code, message, { cause: error });
  }
}

function reportOf(
  { id, label }: SceneTrajectory,
  scores: PdmScores,
  i: number,
  explain: boolean,
): TrajectoryReport {
  const { filtered, flags, explanations } = scores;
  const report: TrajectoryReport = {
    id,
    label,
    score: scores.scores[i]!,
    multiplier: scores.multipliers[i]!,
    subScores: rowOf(scores.subScores, i),
    filtered: filtered
      ? {
          score: filtered.scores[i]!,
          preFixScore: filtered.preFixScores[i]!,
          subScores: rowOf(filtered.subScores, i),
        }
      : null,
    progressM: scores.progressM[i]!,
    referenceProgressM: scores.referenceProgressM[i]!,
    referenceMultiplier: scores.referenceMultipliers[i]!,
    steps: {
      multipleLanes: stepsOf(flags.multipleLanes[i]!),
      nonDrivable: stepsOf(flags.nonDrivable[i]!),
      offRoute: stepsOf(flags.offRoute[i]!),
    },
  };
  if (explain) report.explanations = explanations![i]!;
  return report;
}

function rowOf(columns: SubScores, i: number): OwnSubScores {
  return Object.fromEntries(kSubScores.map((name) => [name, columns[name][i]!])) as OwnSubScores;
}

function meansOf(reports: readonly SceneReport[]): MeanReport[] {
  const groups = new Map<string, { version: PdmVersion; rows: TrajectoryReport[] }>();
  for (const { version, trajectories } of reports) {
    for (const row of trajectories) {
      const key = `${version} ${row.id}`;
      const group = groups.get(key) ?? { version, rows: [] };
      group.rows.push(row);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ version, rows }) => {
    const mean = (value: (row: TrajectoryReport) => number) =>
      rows.reduce((sum, row) => sum + value(row), 0) / rows.length;
    return {
      version,
      id: rows[0]!.id,
      scenes: rows.length,
      score: mean((row) => row.score),
      filteredScore: version === 'v1' ? null : mean((row) => row.filtered?.score ?? row.score),
      subScores: Object.fromEntries(
        kSubScores.map((name) => [name, mean((row) => row.subScores[name])]),
      ) as OwnSubScores,
    };
  });
}
