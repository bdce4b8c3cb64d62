import script from './browser/seen/main.ts?script';
import styles from './browser/seen/page.css?text';
import markup from './browser/seen/page.html?text';
import shellStyles from './browser/shell.css?text';
import type { PageInfo } from './case.js';
import { renderDocument } from './document.js';
import type { SeenCase } from './seen-case.js';

const kDefaults: PageInfo = { title: 'wam-flow see', subtitle: '' };

/**
 * One self-contained HTML page of what a vision-language model sees: each picture with its letterbox and patches, the
 * prompt token by token, masks, and the plan. It loads nothing, and names from files stay text.
 *
 * @param cases of `seenCase`; at least one
 * @param info title and subtitle
 */
export function renderSeenPage(cases: readonly SeenCase[], info: Partial<PageInfo> = {}): string {
  return renderDocument({
    markup,
    styles: `${shellStyles}\n${styles}`,
    script,
    data: { ...kDefaults, ...info, cases },
  });
}
