#!/usr/bin/env node
// ci-totals.mjs LOGS [FAILED STEP...]: adds up the closing lines of the logs. A step that failed without counting a
// failure (lint, a crash) counts as one.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closingLine, readClosingLine, sum } from './totals.mjs';

const [folder, ...failedSteps] = process.argv.slice(2);
const counts = readdirSync(folder).map((file) => {
  const step = file.replace(/\.log$/, '');
  const read = readClosingLine(readFileSync(join(folder, file), 'utf8')) ?? sum([]);
  const failed = failedSteps.includes(step) ? Math.max(1, read.failed) : read.failed;
  return { ...read, failed };
});
const total = sum(counts);
console.log(closingLine(total));
process.exit(total.failed === 0 ? 0 : 1);
