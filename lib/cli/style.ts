/** Whether text written to `stream` may carry colour: a terminal, and NO_COLOR (https://no-color.org) not set. */
export function hasColor(
  stream: { isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return stream.isTTY === true && env.TERM !== 'dumb';
}

const kCodes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const;

/** Text styles for one stream; each returns its argument unchanged where colour is not wanted. */
export type Style = Record<keyof typeof kCodes, (text: string) => string>;

/** Styles for `stream`. */
export function styleFor(stream: { isTTY?: boolean }): Style {
  const color = hasColor(stream);
  const style = {} as Style;
  for (const name of Object.keys(kCodes) as (keyof typeof kCodes)[]) {
    const [open, close] = kCodes[name];
    style[name] = color ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  }
  return style;
}

/**
 * Text from a file made safe for a terminal: control characters (C0, C1, bidirectional overrides) become `?`, so that
 * a name cannot move the cursor or recolour the screen.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?');
}
