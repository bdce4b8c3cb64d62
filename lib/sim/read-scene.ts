import { basename } from 'node:path';
import { fieldError } from '../scenario/fields.js';
import { parseJson } from '../scenario/parse-json.js';
import { readBytes } from '../scenario/read-bytes.js';
import { finishSlowly } from '../scenario/slowly.js';
import { type ParsedScene, sceneSteps } from './parse-scene.js';

/** Options of {@link readSceneFile} and of `readPredictions`. */
export interface ReadSceneOptions {
  /** A file that holds more than this once decompressed is refused. Default 64 MiB. */
  maxBytes?: number;
}

/** A scene of 10,000 objects takes about 10 MB. */
export const kMaxSceneBytes = 2 ** 26;

/**
 * Reads a scene in its JSON form (docs/pdm-adapter.md), gzip'd or plain: the object itself, or a file
 * `{ schema, input, expected }` that holds it as `input`. The event loop gets turns meanwhile, but while the text
 * becomes objects (`JSON.parse`, about 10 ms a MB).
 *
 * @throws WamFlowError `ERR_SCENARIO` naming file, field, what was expected and what came; `ERR_IO` when the file
 *   cannot be read.
 */
export async function readSceneFile(
  path: string,
  options: ReadSceneOptions = {},
): Promise<ParsedScene> {
  const name = basename(path);
  const value = parseJson(name, await readBytes(path, options.maxBytes ?? kMaxSceneBytes));
  if (value === undefined) throw fieldError(name, 'file', 'a scene', undefined);
  return finishSlowly(sceneSteps(value, name));
}
