import { defineConfig } from 'vitest/config';
import { inlineBrowser } from './scripts/inline-browser.mjs';

export default defineConfig({
  plugins: [inlineBrowser()],
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: a crash in native code ends one file, not the run.
    pool: 'forks',
    // One for each processor: vitest itself would leave one idle.
    maxWorkers: '100%',
    // Long enough for a loaded two-core machine; no test waits for this in a good run.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
