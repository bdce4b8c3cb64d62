#!/usr/bin/env node
import { Command } from 'commander';
import { adaptCommand } from './adapt.js';
import { alignCommand } from './align.js';
import { averageCommand } from './average.js';
import { cameraCommand } from './camera.js';
import { errorOutput } from './command.js';
import { createCommand } from './create.js';
import { curvesCommand } from './curves.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { exportCommand } from './export.js';
import { generateCommand } from './generate.js';
import { inspectCommand } from './inspect.js';
import { packageVersion } from './package-info.js';
import { planCommand } from './plan.js';
import { runCli } from './run.js';
import { scoreCommand } from './score.js';
import { seeCommand } from './see.js';
import { trainCommand } from './train.js';

const program = new Command('wam-flow')
  .description('Motion planner by discrete flow matching.')
  .version(packageVersion(), '-V, --version')
  // `score --version v1` is that command's own option.
  .enablePositionalOptions()
  .addCommand(planCommand())
  .addCommand(trainCommand())
  .addCommand(alignCommand())
  .addCommand(createCommand())
  .addCommand(adaptCommand())
  .addCommand(exportCommand())
  .addCommand(averageCommand())
  .addCommand(curvesCommand())
  .addCommand(evaluateCommand())
  .addCommand(scoreCommand())
  .addCommand(generateCommand())
  .addCommand(inspectCommand())
  .addCommand(cameraCommand())
  .addCommand(seeCommand())
  .addCommand(doctorCommand())
  .addCommand(demoCommand())
  .addHelpText(
    'after',
    [
      '',
      'Every command has --json, --help with an example, and these exit codes:',
      '  0 done, 1 failed, 2 wrong usage, 130 interrupted.',
    ].join('\n'),
  )
  .configureOutput(errorOutput)
  .showHelpAfterError('(wam-flow --help lists the commands)')
  .exitOverride();

await runCli(program, process.argv);
