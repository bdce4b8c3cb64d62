import type { Line } from './conversation-file.js';

/** Lines of a file in 16 bytes each. */
export class LineIndex {
  #offsets = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #numbers = new Uint32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push({ offset, length, number }: Line): void {
    if (this.#size === this.#offsets.length) this.#resize(this.#size * 2);
    this.#offsets[this.#size] = offset;
    this.#lengths[this.#size] = length;
    this.#numbers[this.#size] = number;
    this.#size += 1;
  }

  at(index: number): Line {
    return {
      offset: this.#offsets[index],
      length: this.#lengths[index],
      number: this.#numbers[index],
    };
  }

  /** Gives back what is not used. */
  trim(): void {
    this.#resize(this.#size);
  }

  #resize(capacity: number): void {
    const resized = <T extends Float64Array | Uint32Array>(from: T, to: T): T => {
      to.set(from.subarray(0, this.#size));
      return to;
    };
    this.#offsets = resized(this.#offsets, new Float64Array(capacity));
    this.#lengths = resized(this.#lengths, new Uint32Array(capacity));
    this.#numbers = resized(this.#numbers, new Uint32Array(capacity));
  }
}
