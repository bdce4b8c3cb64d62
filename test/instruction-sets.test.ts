import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

// A function that several translation units may define (inline, template) reaches the addon once, in the form of
// whichever unit the linker meets first. From a unit compiled for AVX-512 that would be an illegal instruction on every
// lesser processor, far from the dispatch that guards it. So such units may define only functions of their own.

const release = resolve(import.meta.dirname, '../build/Release');

/** Names of the functions in an archive that the linker may take from any of several units. */
function mergeableFunctions(archive: string): string[] {
  const nm = spawnSync('nm', ['--defined-only', join(release, archive)], { encoding: 'utf8' });
  expect(nm.status, nm.stderr).toBe(0);
  return [...nm.stdout.matchAll(/ W (\S+)$/gm)].map((match) => match[1]!);
}

const hasNm = spawnSync('nm', ['--version']).status === 0;
const built = process.arch === 'x64' && existsSync(join(release, 'wam_avx512.a'));

describe.skipIf(!hasNm || !built)('code for one instruction set', () => {
  it.each([
    ['wam_avx2.a', /4avx2/],
    ['wam_avx512.a', /6avx512/],
  ])('in %s is named so and cannot replace code for every processor', (archive, name) => {
    const functions = mergeableFunctions(archive);
    expect(functions.length).toBeGreaterThan(0);
    expect(functions.filter((mangled) => !name.test(mangled))).toEqual([]);
  });

  it('stands in no other archive', () => {
    expect(mergeableFunctions('wam_core.a').filter((n) => /4avx2|6avx512/.test(n))).toEqual([]);
  });
});
