/** Pixels. */
const kHeight = 20;
const kGap = 5;

/** A label beside the place of a failure, CSS pixels. */
export interface Flag {
  /** Index of the failure. */
  failure: number;
  text: string;
  /** The place that it names. */
  anchor: readonly [number, number];
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rectangle, pixels. */
type Box = Pick<Flag, 'x' | 'y' | 'width' | 'height'>;

/**
 * A place for each flag near its anchor, clear of the others and of the edges where there is room.
 *
 * @param items in the order of their right to a good place
 * @param taken rectangles that stay free where possible
 */
export function placeFlags(
  items: readonly {
    failure: number;
    text: string;
    width: number;
    anchor: readonly [number, number];
  }[],
  screen: { width: number; height: number },
  taken: readonly Box[] = [],
): Flag[] {
  const placed: Flag[] = [];
  for (const { failure, text, width, anchor } of items) {
    const [ax, ay] = anchor;
    const candidates: [number, number][] = [];
    for (const away of [26, 50, 76, 104, 134]) {
      candidates.push(
        [ax - width / 2, ay - away - kHeight / 2],
        [ax - width / 2, ay + away - kHeight / 2],
      );
      candidates.push(
        [ax + away - 6, ay - away / 2 - kHeight / 2],
        [ax - away + 6 - width, ay - away / 2 - kHeight / 2],
      );
      candidates.push(
        [ax + away - 6, ay + away / 2 - kHeight / 2],
        [ax - away + 6 - width, ay + away / 2 - kHeight / 2],
      );
    }
    const box = (at: [number, number]): Box => ({ x: at[0], y: at[1], width, height: kHeight });
    const free = candidates.find(
      (at) =>
        inside(box(at), screen) && ![...placed, ...taken].some((other) => meets(box(at), other)),
    );
    placed.push({ failure, text, anchor, ...box(free ?? (candidates[0] as [number, number])) });
  }
  return placed;
}

/** The flag under a point; undefined: none. */
export function flagAt(flags: readonly Flag[], px: number, py: number): Flag | undefined {
  return flags.find(
    ({ x, y, width, height }) =>
      px >= x - kGap && px <= x + width + kGap && py >= y - kGap && py <= y + height + kGap,
  );
}

function meets(a: Box, b: Box): boolean {
  return (
    a.x < b.x + b.width + kGap &&
    b.x < a.x + a.width + kGap &&
    a.y < b.y + b.height + kGap &&
    b.y < a.y + a.height + kGap
  );
}

function inside({ x, y, width, height }: Box, screen: { width: number; height: number }): boolean {
  return x >= 4 && y >= 4 && x + width <= screen.width - 4 && y + height <= screen.height - 4;
}
