import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

// The built package as Node sees it, so in processes of its own: vitest would transform it.
const dist = resolve(import.meta.dirname, '../dist');
const esm = JSON.stringify(pathToFileURL(join(dist, 'index.js')).href);
const cjs = JSON.stringify(join(dist, 'index.cjs'));

async function evaluate(type: 'module' | 'commonjs', code: string): Promise<unknown> {
  const run = promisify(execFile)(process.execPath, ['--input-type', type, '--eval', code]);
  return JSON.parse((await run).stdout);
}

const gelu = 'kernels.gelu({ x: Float32Array.of(-1, 0, 2) })';

describe('the built package', () => {
  it('gives the same result from the native addon as an ES module and through require', async () => {
    const [fromEsm, fromCjs] = await Promise.all([
      evaluate(
        'module',
        `import { kernels } from ${esm}; console.log(JSON.stringify(Array.from(${gelu})));`,
      ),
      evaluate(
        'commonjs',
        `const { kernels } = require(${cjs}); console.log(JSON.stringify(Array.from(${gelu})));`,
      ),
    ]);
    expect(fromCjs).toEqual(fromEsm);
    // x Phi(x), with Phi of the standard normal distribution from a table.
    const [a, b, c] = fromEsm as number[];
    expect(a).toBeCloseTo(-0.1586552539, 6);
    expect(b).toBe(0);
    expect(c).toBeCloseTo(1.9544997361, 6);
  });

  it('exports the same names both ways', async () => {
    const [fromEsm, fromCjs] = await Promise.all([
      evaluate(
        'module',
        `import * as all from ${esm}; console.log(JSON.stringify(Object.keys(all)));`,
      ),
      evaluate('commonjs', `console.log(JSON.stringify(Object.keys(require(${cjs}))));`),
    ]);
    expect((fromCjs as string[]).sort()).toEqual((fromEsm as string[]).sort());
  });

  it('knows its errors across both copies in one process', async () => {
    const code = `
      import { createRequire } from 'node:module';
      import * as esm from ${esm};
      const cjs = createRequire(import.meta.url)(${cjs});
      const caught = [];
      for (const [thrower, other] of [[esm, cjs], [cjs, esm]]) {
        try {
          thrower.kernels.gelu({ x: 'text' });
        } catch (error) {
          caught.push([error instanceof other.WamFlowError, error.code]);
        }
      }
      console.log(JSON.stringify({ apart: esm.WamFlowError !== cjs.WamFlowError, caught }));`;
    expect(await evaluate('module', code)).toEqual({
      apart: true,
      caught: [
        [true, 'ERR_ARGUMENT'],
        [true, 'ERR_ARGUMENT'],
      ],
    });
  });
});
