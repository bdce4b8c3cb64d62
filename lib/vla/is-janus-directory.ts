import { join } from 'node:path';
import { isVisionLanguage } from '../model/config.js';
import { readJson } from '../model/read-json.js';

/** Whether a folder holds a model of the Janus family, as far as its config.json says; false for what is no folder. */
export async function isJanusDirectory(directory: string): Promise<boolean> {
  const path = join(directory, 'config.json');
  return isVisionLanguage(await readJson(path, path).catch(() => null)); // whoever loads it says what is wrong
}
