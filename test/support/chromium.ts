import { existsSync } from 'node:fs';

/** Where a Chromium is: that of `CHROMIUM_PATH`, or of the system. Undefined, with a note, where there is none. */
export const executablePath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

if (!executablePath)
  console.warn('no chromium here (CHROMIUM_PATH): the browser tests are skipped');
