// Plans and answers of every arm for the same held-back scenes, scored in one pass.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CameraOptions } from '../../lib/camera/options.js';
import { writeCameraData } from '../../lib/camera/write.js';
import { openConversations } from '../../lib/conversation/conversation-mix.js';
import {
  type AnsweredQuestion,
  type AnswerSummary,
  answerQuestions,
  compareAnswers,
  type EncodedQuestion,
  isScored,
  kAnswerRoom,
  summarizeAnswers,
} from '../../lib/eval/answer-questions.js';
import { baselines } from '../../lib/eval/baselines.js';
import { GroupBootstrap } from '../../lib/eval/bootstrap.js';
import { casesOf } from '../../lib/eval/evaluate.js';
import { runVla } from '../../lib/eval/evaluate-vla.js';
import { measureBaseline } from '../../lib/eval/measured.js';
import type { Trajectory } from '../../lib/eval/metrics.js';
import { scorePlans } from '../../lib/eval/pdm-pass.js';
import { runPlanner } from '../../lib/eval/planner-runs.js';
import { egoKey } from '../../lib/eval/select-windows.js';
import type { WindowValues } from '../../lib/eval/summary.js';
import { cameraOf } from '../../lib/eval/vision-planner.js';
import {
  type Figure,
  figureDifferences,
  summarize,
  type WindowFigures,
  windowFigures,
} from '../../lib/eval/window-figures.js';
import { CameraPictures } from '../../lib/eval/window-pictures.js';
import { Planner } from '../../lib/planner.js';
import type { ScenarioWindow } from '../../lib/scenario/types.js';
import { openVla } from '../../lib/vla/open-vla.js';
import { loadModel } from '../../lib/vla/vla-model.js';
import { VlaPlanner } from '../../lib/vla/vla-planner.js';
import type { Arm, Arms } from './arms.js';

/** One line of the table. */
export interface StudyRow {
  /** Key of the arm, or of a row without one. */
  key: string;
  title: string;
  /** Null for rows that are no vision-language model. */
  shown: Arm['shown'][number] | null;
  /** Of plans, as `WindowFigures`; `turnAde` is the ADE of windows whose command is a turn. Null where it does not plan. */
  figures: Record<string, Figure> | null;
  /** Of answers; null where it was not asked. */
  answers: { n: number; accuracy: number; ci: Figure['ci']; majority: number } | null;
  /** Row that differences are taken to; null for none. */
  against: string | null;
  /** This row less that one, paired. */
  difference: Record<string, Figure> | null;
  answersDifference: Figure | null;
}

/** What the study found. */
export interface Study {
  windows: number;
  egos: number;
  rows: StudyRow[];
  /** Answers by kind of question, of each arm that was asked. */
  kinds: { key: string; title: string; summary: AnswerSummary }[];
  /** Arms whose directory is not there. */
  missing: string[];
}

export interface StudyOptions {
  threads: number;
  /** Questions at most, evenly spread; 0 for none. */
  questions: number;
  /** Checkpoint of a planner that sees the scene's truth; a row of it is left out where there is none. */
  sceneModel: string;
  onProgress: (text: string) => void;
}

/** A row before its statistics. */
interface Row extends Pick<StudyRow, 'key' | 'title' | 'shown' | 'against'> {
  values: WindowValues | null;
  plans: readonly (readonly Trajectory[])[] | null;
  figures: WindowFigures | null;
  answered: AnsweredQuestion[] | null;
}

/** Name of a row: the arm's key, and what it is shown where that is not its picture. */
export function rowName({ key, shown }: Pick<StudyRow, 'key' | 'shown'>): string {
  return shown === null || shown === 'picture' ? key : `${key}/${shown}`;
}

export async function measureStudy(
  windows: readonly ScenarioWindow[],
  study: Arms,
  options: StudyOptions,
): Promise<Study> {
  const arms = study.arms.filter(({ path }) => existsSync(path));
  const missing = study.arms.filter((arm) => !arms.includes(arm)).map(({ key }) => key);
  const rows: Row[] = [...floors(windows), ...(await sceneRows(windows, options))];
  for (const arm of arms) rows.push(...(await armRows(windows, arm, study, options)));

  const planned = rows.filter(({ plans }) => plans !== null);
  options.onProgress(`scoring ${planned.length} sets of plans`);
  const pass = await scorePlans(
    windows,
    planned.map(({ plans }) => plans!),
    { signal: undefined, onWindow: () => {} },
  );
  for (const [i, row] of planned.entries()) {
    row.figures = windowFigures(row.values!, pass.values[i]);
    row.figures.turnAde = row.values!.ade.map((ade, k) => (isTurn(windows[k]!) ? ade : Number.NaN));
  }
  if (options.questions > 0) await ask(windows, arms, rows, study, options);

  const bootstrap = new GroupBootstrap(windows.map(egoKey));
  const named = new Map(rows.map((row) => [rowName(row), row]));
  return {
    windows: windows.length,
    egos: bootstrap.groups,
    rows: rows.map((row) => summaryOf(row, named, bootstrap)),
    kinds: rows.flatMap(({ key, title, answered }) =>
      answered ? [{ key, title, summary: summarizeAnswers(answered) }] : [],
    ),
    missing,
  };
}

function isTurn({ command }: ScenarioWindow): boolean {
  return command === 'left' || command === 'right';
}

function summaryOf(row: Row, named: ReadonlyMap<string, Row>, bootstrap: GroupBootstrap): StudyRow {
  const { key, title, shown, figures, answered } = row;
  const other = row.against === null ? undefined : named.get(row.against);
  const all = answered && summarizeAnswers(answered).all;
  return {
    ...{ key, title, shown },
    figures: figures && summarize(figures, bootstrap),
    answers: all && { n: all.n, accuracy: all.accuracy, ci: all.ci, majority: all.majority },
    against: other ? row.against : null,
    difference:
      figures && other?.figures ? figureDifferences(figures, other.figures, bootstrap) : null,
    answersDifference:
      answered && other?.answered ? compareAnswers(answered, other.answered) : null,
  };
}

const kNothing = { figures: null, answered: null, against: null, shown: null } as const;

/** The driver, and what needs no model: the last is the best of those that see no road. */
const kFloors = ['recorded driver', 'constant velocity', 'constant yaw rate and acceleration'];

function floors(windows: readonly ScenarioWindow[]): Row[] {
  const cases = casesOf(windows);
  return kFloors.map((name): Row => {
    const baseline = baselines.find((of) => of.name === name)!;
    const { values, plans } = measureBaseline(baseline, windows, cases);
    return { ...kNothing, key: name, title: name, values, plans };
  });
}

/** The planner that sees the scene's truth. */
async function sceneRows(
  windows: readonly ScenarioWindow[],
  { sceneModel, threads, onProgress }: StudyOptions,
): Promise<Row[]> {
  if (!existsSync(sceneModel)) return [];
  onProgress(`${sceneModel}`);
  const planner = await Planner.load(sceneModel, { threads, maxSteps: 1 });
  const run = {
    ...({ samples: 1, reduce: 'first', coupling: 'independent', temperature: 1 } as const),
    ...{ warmStart: null, seeds: 1, latencyCalls: 0, signal: undefined, onPlan: () => {} },
  };
  const settings = { steps: 1, decode: 'median', rule: 'renoise' } as const;
  const { values, plans } = await runPlanner(planner, settings, casesOf(windows), run);
  await planner.close();
  return [{ ...kNothing, key: 'scene-mini', title: 'mini (sees the scene itself)', values, plans }];
}

async function armRows(
  windows: readonly ScenarioWindow[],
  arm: Arm,
  study: Arms,
  { threads, onProgress }: StudyOptions,
): Promise<Row[]> {
  const { key, title, path } = arm;
  const against = key === study.reference ? null : (arm.against ?? study.reference);
  const head = { ...kNothing, key, title, against };
  if (!arm.plans) return [{ ...head, shown: 'picture', values: null, plans: null }];
  const planner = await VlaPlanner.load(path, { threads, device: 'cpu' });
  const camera: CameraOptions = { ...study.camera, threads };
  const pictures = new CameraPictures(cameraOf(planner, camera));
  const rows: Row[] = [];
  for (const shown of arm.shown) {
    onProgress(`${title}: ${shown}`);
    const { values, plans } = await runVla(planner, windows, {
      ...study.plan,
      ...arm.plan,
      ...{ pictures, blank: shown === 'blank' },
      command: shown === 'shuffled' ? 'shuffled' : 'given',
    });
    rows.push({ ...head, shown, against: shown === 'picture' ? against : key, values, plans });
  }
  await Promise.all([planner.close(), pictures.close()]);
  return rows;
}

/** Asks every arm the same questions about the same pictures, and sets the answers of its rows. */
async function ask(
  windows: readonly ScenarioWindow[],
  arms: readonly Arm[],
  rows: readonly Row[],
  study: Arms,
  options: StudyOptions,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wam-flow-questions-'));
  try {
    const sides = new Set<number>();
    for (const arm of arms) {
      if (!arm.questions) continue;
      const row = rows.find(({ key, shown }) => key === arm.key && shown === 'picture');
      if (!row) continue;
      options.onProgress(`${arm.title}: questions`);
      const { opened, settings, tokenizer } = await openVla(arm.path);
      const side = opened.config.vision.image_size;
      const data = join(folder, String(side));
      if (!sides.has(side)) {
        await writeCameraData(data, windows, {
          ...{ width: side, height: side, questions: true, threads: options.threads },
          ...study.camera,
        });
        sides.add(side);
      }
      const mix = await openConversations([{ path: join(data, 'questions.jsonl') }], {
        ...{ tokenizer, imageSize: side, template: settings.template },
        answerTokens: kAnswerRoom,
        ...(settings.wording?.system === undefined ? {} : { system: settings.wording.system }),
      });
      const model = await loadModel(arm.path, { threads: options.threads, device: 'cpu' });
      const questions = await spread(mix, options.questions);
      row.answered = await answerQuestions(model, tokenizer, settings, questions, study.answer);
      await Promise.all([model.close(), mix.close()]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function spread(
  mix: Awaited<ReturnType<typeof openConversations>>,
  most: number,
): Promise<EncodedQuestion[]> {
  const scored: EncodedQuestion[] = [];
  for (let i = 0; i < mix.size; i += 1) {
    const question = await mix.at(0, i);
    if (isScored(question)) scored.push(question);
  }
  const count = Math.min(most, scored.length);
  return Array.from({ length: count }, (_, k) => scored[Math.floor((k * scored.length) / count)]!);
}
