import { join } from 'node:path';
import { modelDirectory } from '../model/bundled.js';
import { isVisionLanguage } from '../model/config.js';
import { readJson } from '../model/read-json.js';

/**
 * Whether a folder, or a model that comes with the package, is one of the Janus family, as far as its config.json says; false
 * for what is no folder.
 */
export async function isJanusDirectory(directory: string): Promise<boolean> {
  const path = join(modelDirectory(directory), 'config.json');
  return isVisionLanguage(await readJson(path, path).catch(() => null)); // whoever loads it says what is wrong
}
