/** Colours of the canvas, read from the style sheet so that a theme is defined once: `--map-<name>` by name. */
export function readColors<Name extends string>(names: readonly Name[]): Record<Name, string> {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    names.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim()]),
  ) as Record<Name, string>;
}
