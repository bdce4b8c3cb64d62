import { expect } from 'vitest';
import { type Observation, type Planner, type PlanOptions, WamFlowError } from '../../lib/index.js';
import { observation } from './small-planner.js';

/** Every way to call fails alike, with the code and a message that names the field; the planner goes on. */
export async function refused(
  planner: Planner,
  o: Observation,
  options: PlanOptions,
  code: string,
  message: RegExp,
): Promise<void> {
  const error = { code, message: expect.stringMatching(message) };
  expect(() => planner.planSync(o, options)).toThrow(expect.objectContaining(error));
  const rejected = await planner.plan(o, options).catch((e) => e);
  expect(rejected).toBeInstanceOf(WamFlowError);
  expect(rejected).toMatchObject(error);
  await expect(planner.refine(o, options).next()).rejects.toMatchObject(error);
  await expect(planner.planBatch([observation(), o], options)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(
      message.source.startsWith('^observation')
        ? new RegExp(message.source.replace('^observation', '^observations\\[1\\]'))
        : message,
    ),
  });
  expect((await planner.plan(observation())).stepsRun).toBe(1);
}
