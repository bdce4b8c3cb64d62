import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { adaptCommand } from '../lib/cli/adapt.js';
import { alignCommand } from '../lib/cli/align.js';
import { averageCommand } from '../lib/cli/average.js';
import { cameraCommand } from '../lib/cli/camera.js';
import { createCommand } from '../lib/cli/create.js';
import { curvesCommand } from '../lib/cli/curves.js';
import { demoCommand } from '../lib/cli/demo.js';
import { doctorCommand } from '../lib/cli/doctor.js';
import { evaluateCommand } from '../lib/cli/evaluate.js';
import { exportCommand } from '../lib/cli/export.js';
import { generateCommand } from '../lib/cli/generate.js';
import { inspectCommand } from '../lib/cli/inspect.js';
import { planCommand } from '../lib/cli/plan.js';
import { scoreCommand } from '../lib/cli/score.js';
import { seeCommand } from '../lib/cli/see.js';
import { trainCommand } from '../lib/cli/train.js';

const kPage = readFileSync('docs/cli.md', 'utf8');
const kCommands: Command[] = [
  planCommand(),
  trainCommand(),
  alignCommand(),
  createCommand(),
  adaptCommand(),
  exportCommand(),
  averageCommand(),
  curvesCommand(),
  evaluateCommand(),
  scoreCommand(),
  generateCommand(),
  inspectCommand(),
  cameraCommand(),
  seeCommand(),
  doctorCommand(),
  demoCommand(),
];

/** The section of the page about `command`. */
function sectionOf(command: Command): string {
  const [, section = ''] = kPage.split(`\n## ${command.name()}\n`);
  return section.split('\n## ')[0];
}

describe.each(kCommands.map((command) => [command.name(), command] as const))(
  'docs/cli.md on %s',
  (_, command) => {
    const own = command.options.filter(({ long }) => long !== '--json' && long !== '--debug');

    test('has every option with its value', () => {
      for (const { flags } of own) expect(sectionOf(command)).toContain(`\`${flags}\``);
    });

    test('has no option that does not exist', () => {
      const known = own.map(({ flags }) => flags).concat('--json');
      const named = sectionOf(command)
        .split('\n')
        .filter((line) => line.startsWith('| `--'))
        .flatMap((line) => [...line.split('|')[1].matchAll(/`([^`]+)`/g)].map((match) => match[1]));
      expect(named.filter((flags) => !known.includes(flags))).toEqual([]);
      expect(named).toHaveLength(own.length);
    });
  },
);
