import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, writeFileAtomic } from '../files.js';

/**
 * Writes an HTML page; folders are made as needed.
 *
 * @throws WamFlowError `ERR_IO`
 */
export async function writePageFile(file: string, html: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch (error) {
    throw ioError(`cannot write ${file}`, error);
  }
  await writeFileAtomic(file, html);
}
