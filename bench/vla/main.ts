// npm run results:vla: plans and answers of the vision-language models of bench/vla/arms.json on held-back generated scenes,
// as one table in docs/results.md.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { isWithinVocabulary } from '../../lib/camera/plan-conversation.js';
import { selectWindows } from '../../lib/eval/select-windows.js';
import { generateScenarios } from '../../lib/generate/generate.js';
import { fillBlocks } from '../study/fill-blocks.js';
import { readArms } from './arms.js';
import { measureStudy, type Study } from './measure.js';
import { kindsTable, studyTable } from './table.js';

const { values: flags } = parseArgs({
  options: {
    arms: { type: 'string', default: 'bench/vla/arms.json' },
    windows: { type: 'string', default: '400' },
    // Of the held-back scenes; no training uses it.
    seed: { type: 'string', default: '910' },
    questions: { type: 'string', default: '800' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string', multiple: true },
    // The page again from the figures in --json.
    tables: { type: 'boolean', default: false },
    json: { type: 'string', default: 'bench/vla/results.json' },
    page: { type: 'string', default: 'docs/results.md' },
  },
});

const begin = performance.now();
const say = (text: string) =>
  process.stderr.write(`${((performance.now() - begin) / 1000).toFixed(0)} s  ${text}\n`);

if (!flags.tables) {
  const every = await readArms(flags.arms);
  const study = {
    ...every,
    arms: every.arms.filter(({ key }) => !flags.only || flags.only.includes(key)),
  };
  const scenes = await generateScenarios({
    windows: Number(flags.windows),
    seed: Number(flags.seed),
    valShare: 1,
  });
  const all = selectWindows(scenes, 'all').windows;
  const windows = all.filter(isWithinVocabulary);
  say(`${all.length - windows.length} of ${all.length} windows left out: driven beyond 100 m`);
  const measured = await measureStudy(windows, study, {
    threads: Number(flags.threads),
    questions: Number(flags.questions),
    sceneModel: 'models/mini',
    onProgress: say,
  });
  if (measured.missing.length > 0) say(`not there, left out: ${measured.missing.join(', ')}`);
  await writeFile(flags.json, `${JSON.stringify(measured, roundNumbers, 1)}\n`);
}
// The page shows what the file says, to the last rounding.
const study: Study = JSON.parse(await readFile(flags.json, 'utf8'));
const table = studyTable(study);
process.stdout.write(`${table}\n\n${kindsTable(study)}\n`);
if (existsSync(flags.page)) {
  const page = await readFile(flags.page, 'utf8');
  const size = `${study.windows} windows, ${study.egos} vehicles`;
  const blocks = { 'vla-size': size, 'vla-main': table, 'vla-kinds': kindsTable(study) };
  await writeFile(flags.page, fillBlocks(page, blocks));
}
say(`${flags.json}, ${flags.page}`);

function roundNumbers(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(5))
    : value;
}
