import shellStyles from './browser/shell.css?text';
import shell from './browser/shell.html?text';
import type { PageInfo } from './case.js';
import { renderDocument } from './document.js';

/** What makes a page of the shell: its own markup, styles, script and data. */
export interface PageParts<Data extends PageInfo> {
  /** The `aside` beside the map, what the dock holds beside the play button, and the help. */
  figures: string;
  sliders: string;
  keys: string;
  /** Label of the list, and what a screen reader says about the map's keys. */
  list: string;
  hint: string;
  /** Come after the shell's. */
  styles: string;
  /** One classic script; finds `data` as JSON in the element of that id. */
  script: string;
  data: Data;
}

/** The page of these parts; {@link renderDocument} says what holds for it. */
export function renderShell<Data extends PageInfo>(parts: PageParts<Data>): string {
  const { script, data } = parts;
  const markup = shell.replace(
    /\{\{(figures|sliders|keys|list|hint)\}\}/g,
    (_, slot: 'figures' | 'sliders' | 'keys' | 'list' | 'hint') => parts[slot].trimEnd(),
  );
  return renderDocument({ markup, styles: `${shellStyles}\n${parts.styles}`, script, data });
}
