// What the events of a run measure: every numeric field, by name, whatever the stage. The event file, the live table
// and the page of curves all show these, so that a field that a stage adds needs no change here.

/** One figure of an event. `name` is the field, with those it lies in: `loss`, `seconds/rollout`. */
export interface Figure {
  name: string;
  value: number;
}

/** Fields that place an event rather than measure something. */
const kPlaces: ReadonlySet<string> = new Set(['step', 'steps']);

/** Events that mark a moment of a run and measure nothing. */
const kMarks: ReadonlySet<string> = new Set(['start', 'checkpoint', 'done']);

/** An event as it is logged. */
export interface LoggedEvent {
  type: string;
  step: number;
  [field: string]: unknown;
}

/** Every finite number of `event`, in the order of its fields; those of objects in it too, those of arrays not. */
export function figuresOf(event: LoggedEvent): Figure[] {
  return kMarks.has(event.type) ? [] : collect(event, '');
}

function collect(fields: object, prefix: string): Figure[] {
  return Object.entries(fields).flatMap(([field, value]): Figure[] => {
    if (prefix === '' && kPlaces.has(field)) return [];
    const name = `${prefix}${field}`;
    if (typeof value === 'number') return Number.isFinite(value) ? [{ name, value }] : [];
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? collect(value, `${name}/`) : [];
  });
}
