/** Calls `actions[key]` for keys pressed outside a dialog and without a modifier; a focused control keeps its own keys. */
export function attachKeys(actions: Record<string, () => void>): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest('dialog')) return;
    if (target?.matches('input') && event.key.startsWith('Arrow')) return;
    if (target?.matches('button') && (event.key === ' ' || event.key === 'Enter')) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
