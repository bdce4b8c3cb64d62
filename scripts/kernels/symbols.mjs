// Names of kernels. The compilers write the same instance differently: c++filt has `(int)64` and the result type, g++'s
// __PRETTY_FUNCTION__ has `64` and no parameters. Both are brought to `name<arguments>` without our namespaces.

import { spawnSync } from 'node:child_process';

/** Demangled names, in the order given. */
export function demangle(mangled) {
  if (mangled.length === 0) return [];
  const { status, stdout, error } = spawnSync('c++filt', {
    input: mangled.join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error('c++filt failed');
  return stdout.trimEnd().split('\n');
}

/** `void wam::cuda::name<wam::cuda::Tile<(int)64, true> >(wam::cuda::NameParams)` as its parts. */
export function splitSignature(demangled) {
  const opening = openingParenthesis(demangled);
  const before = opening < 0 ? demangled : demangled.slice(0, opening);
  const parameters = opening < 0 ? '' : demangled.slice(opening + 1, demangled.lastIndexOf(')'));
  return { symbol: normalise(before.replace(/^void /, '')), parameters };
}

/** The parenthesis of the parameter list: the last one that is not inside template arguments. */
function openingParenthesis(text) {
  let depth = 0;
  let found = -1;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '<') depth++;
    if (text[i] === '>') depth--;
    if (text[i] === '(' && depth === 0 && !text.startsWith('(anonymous namespace)', i)) {
      found = i;
      break;
    }
  }
  return found;
}

/** A name without namespaces of ours, casts of integers and needless spaces. */
export function normalise(name) {
  return name
    .replace(/\((anonymous namespace)\)::|\{anonymous\}::|<unnamed>::/g, '')
    .replace(/\bwam::(cuda|simt)::|\bwam::/g, '')
    .replace(/\(bool\)0/g, 'false')
    .replace(/\(bool\)1/g, 'true')
    .replace(/\((?:unsigned )?(?:int|long|short|char)\)(-?\d+)/g, '$1')
    .replace(/\b(\d+)[uUlL]+\b/g, '$1')
    .replace(/\s*([<>,&*])\s*/g, '$1')
    .replace(/,/g, ', ')
    .trim();
}
