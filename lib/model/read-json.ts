import { ioError, openRegularFile } from '../files.js';
import { corrupt } from './safetensors-header.js';

const kMaxBytes = 1 << 20;

/**
 * The value of a JSON file of a checkpoint.
 *
 * @param source names the file in errors.
 * @throws WamFlowError `ERR_CHECKPOINT_CORRUPT` when it is no regular file, over 1 MiB or not JSON; `ERR_IO`.
 */
export async function readJson(path: string, source: string): Promise<unknown> {
  let opened: Awaited<ReturnType<typeof openRegularFile>>;
  try {
    opened = await openRegularFile(path);
    if (!opened) throw corrupt(source, 'not a regular file');
    if (opened.size > kMaxBytes) throw corrupt(source, `${opened.size} bytes are too many`);
    return JSON.parse(await opened.file.readFile('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(source, `not JSON: ${error.message}`);
    throw ioError(`cannot read ${source}`, error);
  } finally {
    await opened?.file.close();
  }
}
