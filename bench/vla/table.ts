// The tables of the vision-language model in docs/results.md.

import type { Figure } from '../../lib/eval/window-figures.js';
import type { Study, StudyRow } from './measure.js';

const kShown = { picture: '', blank: ', picture blanked', shuffled: ', command shuffled' } as const;

interface Column {
  title: string;
  text(row: StudyRow): string;
}

/** A figure with its interval, and the paired difference to another row where there is one. */
function figure(title: string, name: string, scale: number, digits: number): Column[] {
  const text = (of: Figure | undefined) => (of ? (scale * of.mean).toFixed(digits) : '');
  return [
    {
      title,
      text: ({ figures }) => {
        const of = figures?.[name];
        return of ? `${text(of)} (${range(of.ci, scale, digits)})` : '';
      },
    },
    {
      title: 'difference',
      text: ({ difference }) => differenceText(difference?.[name], scale, digits),
    },
  ];
}

const kColumns: readonly Column[] = [
  ...figure('PDMS %', 'pdms.score', 100, 1),
  ...figure('at fault %', 'collisionAtFault', 100, 1),
  ...figure('ADE m', 'ade', 1, 2),
  ...figure('ADE m, turns', 'turnAde', 1, 2),
  { title: 'FDE m', text: ({ figures }) => figures?.fde?.mean.toFixed(2) ?? '' },
  {
    title: 'questions right %',
    text: ({ answers }) =>
      answers ? `${(100 * answers.accuracy).toFixed(1)} (${range(answers.ci, 100, 1)})` : '',
  },
  {
    title: 'difference',
    text: ({ answersDifference }) => differenceText(answersDifference ?? undefined, 100, 1),
  },
];

/** The table of all rows; differences in bold whose interval excludes 0. */
export function studyTable({ rows }: Pick<Study, 'rows'>): string {
  const title = new Map(rows.map((row) => [row.key, row.title]));
  const head = ['', 'compared with', ...kColumns.map((column) => column.title)];
  const lines = rows.map((row) => [
    `${row.title}${row.shown ? kShown[row.shown] : ''}`,
    row.against === null ? '' : (title.get(row.against) ?? ''),
    ...kColumns.map((column) => column.text(row)),
  ]);
  return markdown(head, lines);
}

/** Answers by kind, per cent; what saying always the same would give last. Empty where nobody was asked. */
export function kindsTable({ kinds }: Pick<Study, 'kinds'>): string {
  const [first] = kinds;
  if (!first) return '';
  const names = Object.keys(first.summary.kinds);
  const head = [
    'right %',
    ...names.map((name) => `${name} (${first.summary.kinds[name]!.n})`),
    'all',
  ];
  const percent = (share: number | undefined) =>
    share === undefined ? '' : (100 * share).toFixed(1);
  const lines = kinds.map(({ title, summary }) => [
    title,
    ...names.map((name) => percent(summary.kinds[name]?.accuracy)),
    percent(summary.all.accuracy),
  ]);
  const same = [
    'always the same',
    ...names.map((name) => percent(first.summary.kinds[name]!.majority.accuracy)),
    percent(first.summary.all.majority),
  ];
  return markdown(head, [...lines, same]);
}

function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function range([low, high]: Figure['ci'], scale: number, digits: number): string {
  return `${(scale * low).toFixed(digits)}-${(scale * high).toFixed(digits)}`;
}

function differenceText(of: Figure | undefined, scale: number, digits: number): string {
  if (!of) return '';
  const signed = (value: number) => `${value < 0 ? '' : '+'}${(scale * value).toFixed(digits)}`;
  const text = `${signed(of.mean)} (${signed(of.ci[0])}, ${signed(of.ci[1])})`;
  return of.ci[0] > 0 || of.ci[1] < 0 ? `**${text}**` : text;
}
