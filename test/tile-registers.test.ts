// The register tiles of the matrix products must keep all their sums in registers: a compiler that spills one in the loop
// over k costs a third of the speed and no test of values would see it.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const tiles = [
  { isa: 'avx512', rows: 12, register: 'zmm', multiplyAdds: 24 },
  { isa: 'avx2', rows: 6, register: 'ymm', multiplyAdds: 12 },
];

/** Instructions of the function whose demangled name begins with `name`. */
function instructionsOf(listing: string, name: string) {
  const from = listing.indexOf(`<${name}`);
  expect(from, `${name} is in the object file`).toBeGreaterThan(0);
  const lines = listing.slice(from, listing.indexOf('\n\n', from)).split('\n').slice(1);
  return lines.map((line) => {
    const [address = '', text = ''] = line.trim().split(/:\s+/);
    return { address: Number.parseInt(address, 16), text };
  });
}

/** The bodies of loops: what lies between a jump backwards and its target. */
function loopsOf(instructions: { address: number; text: string }[]) {
  return instructions.flatMap(({ address, text }) => {
    const target = Number.parseInt(/^j\w+\s+([0-9a-f]+)/.exec(text)?.[1] ?? '', 16);
    if (!(target < address)) return [];
    return [instructions.filter((i) => i.address >= target && i.address <= address)];
  });
}

for (const { isa, rows, register, multiplyAdds } of tiles) {
  const object = join(root, `build/Release/obj.target/wam_${isa}/native/cpu/kernels_${isa}.o`);
  const missing = !existsSync(object) || spawnSync('objdump', ['--version']).error !== undefined;
  for (const layout of ['false', 'true']) {
    it.skipIf(missing)(`the ${isa} tile (strips ${layout}) keeps its sums in registers`, () => {
      const { stdout } = spawnSync('objdump', ['-d', '--no-show-raw-insn', '-C', object], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      });
      const name = `void wam::cpu::${isa}::output_tile<${rows}, ${layout}, float>(`;
      const products = new RegExp(`^vfmadd.*%${register}`);
      const loops = loopsOf(instructionsOf(stdout, name)).filter(
        (body) => body.filter(({ text }) => products.test(text)).length >= multiplyAdds,
      );
      expect(loops.length).toBeGreaterThan(0);
      for (const body of loops) {
        const count = body.filter(({ text }) => products.test(text)).length;
        expect(count % multiplyAdds).toBe(0);
        const spills = body.filter(
          ({ text }) => text.includes(`%${register}`) && text.includes('(%rsp'),
        );
        expect(spills.map(({ text }) => text)).toEqual([]);
        // Two loads of b and a broadcast a row, not more: a spilled pointer would come back as a load as well.
        expect(body.filter(({ text }) => text.includes('(%rsp')).length).toBe(0);
      }
    });
  }
}
