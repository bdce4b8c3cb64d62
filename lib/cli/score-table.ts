import type { OwnSubScores } from '../sim/pdm-reference.js';
import type { PdmVersion } from '../sim/pdm-scorer.js';
import type { SubScore } from '../sim/score-rows.js';
import { print } from './command.js';
import type { MeanReport, SceneReport, TrajectoryReport } from './score.js';
import { printable } from './style.js';
import { type Column, renderTable } from './table.js';

/** Columns of sub-scores by version, as papers call them. */
const kColumns: Readonly<Record<PdmVersion, readonly (readonly [string, SubScore])[]>> = {
  v1: [
    ['NC', 'noAtFaultCollisions'],
    ['DAC', 'drivableAreaCompliance'],
    ['EP', 'egoProgress'],
    ['TTC', 'timeToCollisionWithinBound'],
    ['C', 'comfort'],
    ['(DDC)', 'drivingDirectionCompliance'],
  ],
  v2: [
    ['NC', 'noAtFaultCollisions'],
    ['DAC', 'drivableAreaCompliance'],
    ['DDC', 'drivingDirectionCompliance'],
    ['TLC', 'trafficLightCompliance'],
    ['EP', 'egoProgress'],
    ['TTC', 'timeToCollisionWithinBound'],
    ['LK', 'laneKeeping'],
    ['HC', 'comfort'],
  ],
};

const kScoreName = { v1: 'PDMS', v2: 'EPDMS' } as const;

/** Prints a scene: a line a trajectory, and its explanations where there are any. */
export function printScene(report: SceneReport): void {
  const { scene, version, traffic, trajectories, human } = report;
  const isFiltered = version === 'v2' && human !== null;
  const driver = isFiltered ? ', filtered by the recorded driver' : '';
  const rules = version === 'v1' ? 'NAVSIM v1.1' : 'NAVSIM v2.2, before extended comfort';
  print(`${printable(scene)}: ${kScoreName[version]} (${rules}${driver}), ${traffic} traffic\n`);
  const rows = trajectories.map((row) => [
    row.label && !row.id.includes(row.label) ? `${row.id} (${row.label})` : row.id,
    (row.filtered?.score ?? row.score).toFixed(4),
    ...(isFiltered ? [row.score.toFixed(4)] : []),
    ...kColumns[version].map(([, name]) => subScoreCell(row, name)),
    row.progressM.toFixed(1),
  ]);
  print(renderTable(columnsOf(version, isFiltered, 'trajectory', ['progress m']), rows));
  const hasForgiven = trajectories.some((row) =>
    kColumns[version].some(([, name]) => isForgiven(row, name)),
  );
  if (hasForgiven) print('* the recorded driver fails it too: counted as 1');
  for (const { id, explanations } of trajectories) {
    if (!explanations) continue;
    if (explanations.length === 0) print(`\n${printable(id)}: nothing lost`);
    else print(`\n${printable(id)}`);
    for (const { text, forgiven } of explanations) {
      print(`  ${printable(text)}${forgiven ? '; forgiven' : ''}`);
    }
  }
  print('');
}

/** Prints means over scenes, a line for each trajectory id and version. */
export function printMeans(means: readonly MeanReport[]): void {
  for (const version of ['v1', 'v2'] as const) {
    const own = means.filter((row) => row.version === version);
    if (own.length === 0) continue;
    print(`means over scenes, ${kScoreName[version]}\n`);
    const rows = own.map((row) => [
      row.id,
      (row.filteredScore ?? row.score).toFixed(4),
      ...(version === 'v2' ? [row.score.toFixed(4)] : []),
      ...kColumns[version].map(([, name]) => mean(row.subScores, name)),
      String(row.scenes),
    ]);
    print(`${renderTable(columnsOf(version, version === 'v2', 'trajectory', ['scenes']), rows)}\n`);
  }
}

function columnsOf(
  version: PdmVersion,
  isFiltered: boolean,
  first: string,
  last: readonly string[],
): Column[] {
  const names = [
    kScoreName[version],
    ...(isFiltered ? ['unfiltered'] : []),
    ...kColumns[version].map(([header]) => header),
    ...last,
  ];
  return [{ header: first }, ...names.map((header): Column => ({ header, align: 'right' }))];
}

function subScoreCell(row: TrajectoryReport, name: SubScore): string {
  const value = row.subScores[name];
  const text = name === 'egoProgress' ? value.toFixed(3) : String(value);
  return isForgiven(row, name) ? `${text}*` : text;
}

function isForgiven({ subScores, filtered }: TrajectoryReport, name: SubScore): boolean {
  return filtered !== null && filtered.subScores[name] !== subScores[name];
}

function mean(subScores: OwnSubScores, name: SubScore): string {
  return subScores[name].toFixed(3);
}
