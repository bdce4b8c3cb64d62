import { defineConfig, type UserConfig } from 'tsdown';
import { inlineBrowser } from './scripts/inline-browser.mjs';

const shared: UserConfig = {
  outDir: 'dist',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  // import.meta.url in the CommonJS build: the addon is found relative to the package.
  shims: true,
  fixedExtension: false,
  plugins: [inlineBrowser()],
};

export default defineConfig([
  {
    ...shared,
    entry: {
      index: 'lib/index.ts',
      'cli/main': 'lib/cli/main.ts',
      'conformance/main': 'lib/conformance/main.ts',
      'bench/inner': 'bench/inner.ts',
      'bench/ablations': 'bench/study/ablations-main.ts',
      'bench/results': 'bench/study/main.ts',
      'bench/results-train': 'bench/study/train-main.ts',
      'bench/results-vla-train': 'bench/vla/train-main.ts',
      'bench/results-vla': 'bench/vla/main.ts',
    },
    format: 'esm',
    clean: true,
    dts: { entry: 'lib/index.ts' },
  },
  { ...shared, entry: { index: 'lib/index.ts' }, format: 'cjs', clean: false, dts: true },
]);
