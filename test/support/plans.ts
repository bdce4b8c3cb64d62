import type { Plan } from '../../lib/index.js';

/** What two calls must agree in to the last bit. */
export const content = ({ timing: _, ...plan }: Plan) => plan;

/** Options that use every part of the sampler. */
export const kMany = {
  steps: 4,
  samples: 3,
  seed: 7,
  decode: 'sample',
  lastDecode: 'median',
} as const;
