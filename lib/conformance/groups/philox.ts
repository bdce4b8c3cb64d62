import { philox } from '../../kernels.js';
import type { GroupRunner } from '../groups.js';

/** Words of the generator and their map to [0, 1). */
export const runPhilox: GroupRunner = (check, _golden, test, engine) => {
  const key = test.key as [number, number];
  const { words, unit } = philox(test.counter as number[], key, engine);
  check.equal('output', words, test.output as number[]);
  if (test.unit !== undefined) check.equal('unit', unit, test.unit as number[]);
};
