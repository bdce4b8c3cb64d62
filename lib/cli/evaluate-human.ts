import type { HumanReport } from '../eval/explain-human.js';
import { print } from './command.js';
import { renderTable } from './table.js';

/** Prints how often recorded drivers fail by cause, and each failure with its reason. */
export function printHumanReport(report: HumanReport): void {
  const { n, counts, failures } = report;
  print(
    renderTable(
      [
        { header: 'rules' },
        { header: 'sub-score' },
        { header: 'what' },
        { header: 'cause' },
        { header: `windows of ${n}`, align: 'right' },
      ],
      counts.map(({ version, metric, detail, cause, windows }) => [
        version,
        metric,
        detail,
        cause,
        String(windows),
      ]),
    ),
  );
  print('');
  for (const { window, version, cause, text } of failures) {
    print(`${window} ${version} (${cause}): ${text}`);
  }
}
