// A plugin for tsdown and vitest: browser files become strings in the importing module, so that a page can be written
// without any file beside the package's own code.
//
//   import script from './browser/main.ts?script';   // bundled into one classic script
//   import styles from './browser/page.css?text';    // as it is

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const kPrefix = '\0inline:';

/** @returns {import('rolldown').Plugin} */
export function inlineBrowser() {
  return {
    name: 'inline-browser',
    resolveId: {
      order: 'pre',
      filter: { id: /\?(script|text)$/ },
      handler(id, importer) {
        if (!importer) return null;
        // A colon instead of the question mark: vite would take `page.css?...` for a style sheet.
        const [path, kind] = id.split('?');
        return `${kPrefix}${resolve(dirname(importer), path)}:${kind}`;
      },
    },
    load: {
      filter: { id: /^\0inline:/ },
      async handler(id) {
        const colon = id.lastIndexOf(':');
        const [path, kind] = [id.slice(kPrefix.length, colon), id.slice(colon + 1)];
        this.addWatchFile(path);
        const text = kind === 'script' ? await bundle(path, this) : await readFile(path, 'utf8');
        return { code: `export default ${JSON.stringify(text)};`, moduleType: 'js' };
      },
    },
  };
}

async function bundle(path, context) {
  const build = await rolldown({ input: path, platform: 'browser', tsconfig: false });
  try {
    const { output } = await build.generate({ format: 'iife', comments: false });
    for (const file of await build.watchFiles) context.addWatchFile(file);
    // The text lands inside a script element.
    return output[0].code.replaceAll('</script', '<\\/script');
  } finally {
    await build.close();
  }
}
