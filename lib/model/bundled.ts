import { join, resolve } from 'node:path';
import { argumentError } from '../errors.js';
import { packageRoot } from '../native.js';

/** Models that come with the package, by the names that `Planner.load` takes. */
export const kBundledModels: readonly string[] = ['mini', 'mini-supervised'];

/** Vision-language models that come with the package, by the names that `VlaPlanner.load` and `loadModel` take. */
export const kBundledVlaModels: readonly string[] = ['vla-mini'];

/**
 * Absolute path of a model that comes with the package (`./mini` is a folder), or of a directory.
 *
 * @param argument what errors call it
 * @throws WamFlowError `ERR_ARGUMENT` for what is no name
 */
export function modelDirectory(nameOrDirectory: string, argument = 'checkpoint'): string {
  const names = [...kBundledModels, ...kBundledVlaModels];
  if (typeof nameOrDirectory !== 'string' || nameOrDirectory === '') {
    const expected = `${names.join(', ')} or the path of a directory`;
    throw argumentError(argument, expected, nameOrDirectory);
  }
  return names.includes(nameOrDirectory)
    ? join(packageRoot(), 'models', nameOrDirectory)
    : resolve(nameOrDirectory);
}
