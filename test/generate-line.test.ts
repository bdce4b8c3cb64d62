import { describe, expect, it } from 'vitest';
import { Line } from '../lib/generate/line.js';

const straight = { x: 0, y: 0, heading: 0, curvature: 0 };

/** Largest difference between a line's heading and the direction from one place to the next. */
function headingError(line: Line): number {
  let worst = 0;
  for (let s = 0; s + 0.02 < line.length; s += 0.0931) {
    const [a, b] = [line.at(s), line.at(s + 0.02)];
    const direction = Math.atan2(b.y - a.y, b.x - a.x);
    const { heading } = line.at(s + 0.01);
    worst = Math.max(worst, Math.abs(Math.sin(direction - heading)));
  }
  return worst;
}

describe('lines of the generator', () => {
  it('are clothoids between sections of constant curvature', () => {
    const line = Line.fromCurvature(straight, [
      { length: 60, curvature: 0 },
      { length: 100, curvature: 1 / 50 },
      { length: 60, curvature: 0 },
    ]);
    expect(line.length).toBe(220);
    expect(line.at(220).heading).toBeCloseTo(2, 9); // 100 m of 1/50
    expect(line.at(110).curvature).toBeCloseTo(1 / 50, 12);
    // Linear over 30 m around the joint of two sections.
    expect(line.at(60).curvature).toBeCloseTo(1 / 100, 6);
    expect(line.at(52.5).curvature).toBeCloseTo(1 / 200, 6);
    expect(headingError(line)).toBeLessThan(1e-5);
  });

  it('run parallel at the wanted distance', () => {
    const line = Line.fromCurvature(straight, [{ length: 120, curvature: 1 / 40 }]);
    const beside = line.beside(-3.5);
    expect(beside.length).toBeCloseTo(120 * (1 + 3.5 / 40), 6);
    for (let s = 0; s <= beside.length; s += 3.3) {
      const { x, y } = beside.at(s);
      const place = line.project(x, y, (s / beside.length) * line.length);
      expect(place.lateral).toBeCloseTo(-3.5, 4);
    }
    expect(headingError(beside)).toBeLessThan(1e-5);
  });

  it('connect two places with their headings and curvatures', () => {
    const to = { x: 14, y: 11, heading: 1.7, curvature: 1 / 18 };
    const line = Line.connect(straight, to);
    const end = line.at(line.length);
    for (const key of ['x', 'y', 'heading', 'curvature'] as const) {
      expect(end[key]).toBeCloseTo(to[key], 9);
      expect(line.at(0)[key]).toBeCloseTo(straight[key], 9);
    }
    expect(headingError(line)).toBeLessThan(1e-4);
    // Samples are equally far apart.
    let driven = 0;
    for (let s = 0; s < line.length - 1e-6; s += 0.01) {
      const [a, b] = [line.at(s), line.at(Math.min(line.length, s + 0.01))];
      driven += Math.hypot(b.x - a.x, b.y - a.y);
    }
    expect(driven).toBeCloseTo(line.length, 3);
  });

  it('are arcs of circles, and turn round', () => {
    const arc = Line.arc([5, 6], 20, 0.3, 2.1);
    expect(arc.length).toBeCloseTo(36, 9);
    for (let s = 0; s <= arc.length; s += 1.7) {
      const { x, y, curvature } = arc.at(s);
      expect(Math.hypot(x - 5, y - 6)).toBeCloseTo(20, 5);
      expect(curvature).toBeCloseTo(0.05, 12);
      const back = arc.reversed().at(arc.length - s);
      expect(Math.hypot(back.x - x, back.y - y)).toBeLessThan(1e-9);
      expect(back.curvature).toBeCloseTo(-0.05, 12);
    }
  });

  it('go on straight beyond their ends', () => {
    const line = Line.fromCurvature(straight, [{ length: 50, curvature: 1 / 60 }]);
    const [end, beyond] = [line.at(50), line.at(57)];
    expect(beyond.x).toBeCloseTo(end.x + 7 * Math.cos(end.heading), 9);
    expect(beyond.y).toBeCloseTo(end.y + 7 * Math.sin(end.heading), 9);
  });
});
