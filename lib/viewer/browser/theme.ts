const kDark = matchMedia('(prefers-color-scheme: dark)');
let chosen: 'light' | 'dark' | null = null;
let changed: () => void = () => undefined;

function apply(): void {
  document.documentElement.dataset.theme = chosen ?? (kDark.matches ? 'dark' : 'light');
  changed();
}

/** Follows the system until someone chooses; `onChange` is called after each change. */
export function startTheme(onChange: () => void): void {
  changed = onChange;
  kDark.addEventListener('change', apply);
  apply();
}

/** The other theme. */
export function toggleTheme(): void {
  chosen = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  apply();
}
