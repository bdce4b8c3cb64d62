import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { figuresOf } from '../train/figures.js';
import { formatFigure, isFollowed, quantityOf } from '../train/quantities.js';
import { type ReadLog, readTrainLog } from '../train/read-log.js';
import { renderCurvesPage } from '../viewer/curves-page.js';
import { type CommonOptions, defineCommand, note, print, printJson } from './command.js';
import { packageVersion } from './package-info.js';
import { integer } from './progress.js';
import { renderTable } from './table.js';
import { writePageFile } from './write-page.js';

interface CurvesOptions extends CommonOptions {
  html: string;
}

/** The last value of a quantity, and the best where there is a better. */
interface Summary {
  quantity: string;
  unit: string;
  last: number;
  best?: number;
  bestStep?: number;
}

/** `wam-flow curves`: training runs as a page of curves. */
export function curvesCommand(): Command {
  return defineCommand(
    'curves',
    'write a page with the curves of one or several training runs',
    'wam-flow curves runs/mini runs/wide --html out/curves.html',
  )
    .argument('<run...>', 'output folders of runs, or their logs')
    .requiredOption('--html <file>', 'the page; one file that loads nothing')
    .action((runs: string[], options: CurvesOptions) => run(runs, options));
}

async function run(paths: readonly string[], options: CurvesOptions): Promise<void> {
  const logs: ReadLog[] = [];
  for (const path of paths) logs.push(await readTrainLog(path));
  for (const { path, broken } of logs) {
    if (broken.length > 0) note(`${path}: ${describeBroken(broken)}`);
  }
  const names = namesOf(paths, logs);
  const runs = logs.map(({ lines }, i) => ({ name: names[i]!, lines }));
  const subtitle = `${runs.length === 1 ? names[0] : `${runs.length} runs`}, wam-flow ${packageVersion()}`;
  await writePageFile(options.html, renderCurvesPage(runs, { subtitle }));
  const summaries = logs.map(summarize);
  if (options.json) {
    printJson({
      html: options.html,
      runs: logs.map(({ path, broken }, i) => ({
        name: names[i],
        log: path,
        brokenLines: broken,
        figures: summaries[i],
      })),
    });
    return;
  }
  for (const [i, summary] of summaries.entries()) {
    if (i > 0) print('');
    print(`${names[i]}\n${tableOf(summary)}`);
  }
  note(`page: ${options.html}`);
}

/** The folder's name; paths as they were given where two would be the same. */
function namesOf(paths: readonly string[], logs: readonly ReadLog[]): string[] {
  const names = logs.map(({ path }) => basename(dirname(resolve(path))));
  const isUnique = (name: string) => names.indexOf(name) === names.lastIndexOf(name);
  return names.map((name, i) => (isUnique(name) ? name : paths[i]!));
}

function describeBroken(broken: readonly number[]): string {
  const shown = broken.slice(0, 5).map(integer).join(', ');
  const more = broken.length > 5 ? ` and ${integer(broken.length - 5)} more` : '';
  return `left out what is no event: line${broken.length > 1 ? 's' : ''} ${shown}${more}`;
}

function summarize({ lines }: ReadLog): Summary[] {
  const found = new Map<string, Summary>();
  for (const line of lines) {
    const of = line.type === 'step' ? '' : `${line.split ?? line.type} `;
    for (const { name, value } of figuresOf(line)) {
      if (!isFollowed(line.type, name)) continue;
      const { label, unit, better } = quantityOf(line.type, name);
      const key = `${line.type}/${of}${name}`;
      const summary = found.get(key) ?? { quantity: `${of}${label}`, unit, last: value };
      found.set(key, summary);
      summary.last = value;
      if (!better) continue;
      const { best = value } = summary;
      if (summary.bestStep === undefined || (better === 'low' ? value < best : value > best)) {
        summary.best = value;
        summary.bestStep = line.step;
      }
    }
  }
  return [...found.values()];
}

function tableOf(summary: readonly Summary[]): string {
  return renderTable(
    [
      { header: 'quantity' },
      { header: 'last', align: 'right' },
      { header: 'best', align: 'right' },
      { header: 'at update', align: 'right' },
    ],
    summary.map(({ quantity, unit, last, best, bestStep }) => [
      unit ? `${quantity}, ${unit}` : quantity,
      formatFigure(last),
      ...(best === undefined ? [] : [formatFigure(best), integer(bestStep!)]),
    ]),
  );
}
