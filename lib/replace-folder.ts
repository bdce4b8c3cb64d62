import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { WamFlowError } from './errors.js';
import { ioError, isMissing, syncFolder } from './files.js';

/** What may be replaced by {@link replaceFolder}. */
export interface ReplaceOptions {
  /** Replace a folder that holds an earlier result; one that holds anything else is never replaced. */
  overwrite: boolean;
  /** Whether the writer makes entries of this name. */
  isOwn: (name: string) => boolean;
  /** What error messages call the writer. */
  writer: string;
}

/**
 * Fills a folder all or nothing: `write` fills a temporary one beside it, which is flushed and renamed at the end. A kill
 * leaves no half result; when `write` throws, nothing is left behind.
 *
 * @throws WamFlowError `ERR_ARGUMENT` when `folder` exists and may not be replaced, `ERR_IO`; what `write` throws.
 */
export async function replaceFolder(
  folder: string,
  options: ReplaceOptions,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(folder);
  const replaces = await mayReplace(target, options);
  const name = `.${basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = join(dirname(target), `${name}.tmp`);
  try {
    await mkdir(temporary, { recursive: true });
    await write(temporary);
    await syncFolder(temporary);
    if (replaces) {
      const old = join(dirname(target), `${name}.old`);
      await rename(target, old);
      await rename(temporary, target);
      await rm(old, { recursive: true });
    } else {
      await rename(temporary, target);
    }
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    const isSystemError = error instanceof Error && 'syscall' in error;
    throw isSystemError ? ioError(`cannot write ${folder}`, error) : error;
  }
}

/** Whether there is an earlier result to replace. Throws when there is something that may not be. */
async function mayReplace(
  target: string,
  { overwrite, isOwn, writer }: ReplaceOptions,
): Promise<boolean> {
  const refuse = (reason: string): never => {
    throw new WamFlowError('ERR_ARGUMENT', `output: ${target} ${reason}`);
  };
  let names: string[];
  try {
    if (!(await lstat(target)).isDirectory()) refuse('exists and is no folder');
    names = await readdir(target);
  } catch (error) {
    if (isMissing(error)) return false;
    throw ioError(`cannot read ${target}`, error);
  }
  if (!overwrite) refuse('exists; overwrite (--force) replaces an earlier result');
  const foreign = names.find((name) => !isOwn(name));
  if (foreign !== undefined)
    refuse(`holds ${foreign}, which ${writer} did not write: not replaced`);
  return true;
}
