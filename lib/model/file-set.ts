// A few files of one folder that change together. New files are staged in a subfolder; renaming that subfolder is the
// commit; afterwards its files move to their places one by one. Until the last has moved a reader looks in the committed
// subfolder first, so that a kill at any moment leaves the whole old set or the whole new one:
//
//   stage   .staging-<pid>-<random>/{a,b}     readers see   a, b
//   commit  rename to .committed/                           .committed/a, .committed/b
//   move    .committed/a -> a                               a, .committed/b
//   done    .committed/b -> b, rmdir                        a, b
//
// An empty file in the subfolder says that the set has no such file any more.

import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WamFlowError } from '../errors.js';
import { type FileData, ioError, isMissing, syncFolder, writeFileDurable } from '../files.js';

const kCommitted = '.committed';
const kStaging = '.staging-';
const kAttempts = 20;
const kStaleMs = 3_600_000;

/** New content by file name; null removes the file. */
export type FileChanges = Readonly<Record<string, FileData | null>>;

/** Paths of the files that the set has, by name. */
export type FilePaths<Name extends string> = Readonly<Partial<Record<Name, string>>>;

/**
 * Replaces files of `folder`, all or none; creates the folder where it is missing. Files that are not named stay.
 *
 * @throws WamFlowError `ERR_IO`; the set is then either as it was or as asked.
 */
export async function commitFiles(folder: string, changes: FileChanges): Promise<void> {
  const staging = join(folder, `${kStaging}${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(dirname(folder));
    await removeStaleStaging(folder);
    await mkdir(staging);
    for (const [name, data] of Object.entries(changes)) {
      await writeFileDurable(join(staging, name), data ?? '');
    }
    await syncFolder(staging);
    await commit(folder, staging);
    await finishCommit(folder);
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
    throw ioError(`cannot write to ${folder}`, error);
  }
}

/**
 * Calls `read` with the paths of one consistent set, again when the set changed meanwhile.
 *
 * @throws WamFlowError `ERR_IO` when the set never stands still; otherwise what `read` throws.
 */
export async function readFiles<Name extends string, T>(
  folder: string,
  names: readonly Name[],
  read: (paths: FilePaths<Name>) => Promise<T>,
): Promise<T> {
  let before = await locate(folder, names);
  for (let attempt = 0; attempt < kAttempts; attempt++) {
    const [result] = await Promise.allSettled([read(before.paths)]);
    const after = await locate(folder, names);
    if (after.stamp === before.stamp) {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    }
    before = after;
  }
  throw new WamFlowError('ERR_IO', `${folder} is rewritten faster than it can be read`);
}

/** Where each file is now, and a text that differs whenever any of them is another file. */
async function locate<Name extends string>(
  folder: string,
  names: readonly Name[],
): Promise<{ paths: FilePaths<Name>; stamp: string }> {
  const paths: Partial<Record<Name, string>> = {};
  const stamps: string[] = [];
  for (const name of names) {
    const committed = join(folder, kCommitted, name);
    const path = (await stampOf(committed)) === undefined ? join(folder, name) : committed;
    const stamp = await stampOf(path);
    stamps.push(`${path} ${stamp?.text}`);
    if (stamp && !(stamp.empty && path === committed)) paths[name] = path;
  }
  return { paths, stamp: stamps.join('\n') };
}

async function stampOf(path: string): Promise<{ text: string; empty: boolean } | undefined> {
  try {
    const { dev, ino, size, mtimeNs } = await lstat(path, { bigint: true });
    return { text: `${dev} ${ino} ${size} ${mtimeNs}`, empty: size === 0n };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw ioError(`cannot read ${path}`, error);
  }
}

async function commit(folder: string, staging: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // An earlier commit that was interrupted, or another process's, is brought to its end first.
    await finishCommit(folder);
    try {
      await rename(staging, join(folder, kCommitted));
      break;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (attempt === kAttempts || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) throw error;
    }
  }
  await syncFolder(folder);
}

/**
 * Moves the files of a commit, if one was interrupted, to their places. Each move may have been made already, by another
 * process. For readers that cannot look at both places.
 */
export async function finishCommit(folder: string): Promise<void> {
  const committed = join(folder, kCommitted);
  const names = await readdir(committed).catch(unlessMissing);
  if (names === undefined) return;
  for (const name of names) {
    const from = join(committed, name);
    const stamp = await stampOf(from);
    if (stamp === undefined) continue;
    if (stamp.empty) {
      await rm(join(folder, name), { force: true });
      await rm(from, { force: true });
    } else {
      await rename(from, join(folder, name)).catch(unlessMissing);
    }
  }
  await syncFolder(folder);
  await rmdir(committed).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') return unlessMissing(error);
  });
}

async function removeStaleStaging(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(kStaging)) continue;
    const path = join(folder, name);
    const age = Date.now() - ((await lstat(path).catch(unlessMissing)) ?? { mtimeMs: 0 }).mtimeMs;
    // The age decides where process ids repeat, as in containers.
    if (age < kStaleMs && isRunning(Number.parseInt(name.slice(kStaging.length), 10))) continue;
    await rm(path, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
  return undefined;
}
