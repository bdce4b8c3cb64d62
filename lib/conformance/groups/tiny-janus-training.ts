import { NotImplemented } from '../check.js';
import type { GroupRunner } from '../groups.js';

export const runTinyJanusTraining: GroupRunner = () => {
  throw new NotImplemented('training of whole models');
};
