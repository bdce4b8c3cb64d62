// Every check program of this repository closes with one line of counts, alone on its line:
//
//   12 passed, 0 failed
//   12 passed, 0 failed, 3 skipped

const LINE = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm;

/** The counts of the last closing line in `text`, or undefined. */
export function readClosingLine(text) {
  const match = [...text.matchAll(LINE)].at(-1);
  return (
    match && { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) }
  );
}

export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export function sum(all) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const counts of all) {
    for (const key of Object.keys(total)) total[key] += counts[key];
  }
  return total;
}
