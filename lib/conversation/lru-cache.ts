/** Keeps values up to a number of bytes; what was not used for longest is given up first. */
export class LruCache<Key, Value> {
  readonly #maxBytes: number;
  readonly #bytesOf: (value: Value) => number;
  /** In the order of their last use. */
  readonly #kept = new Map<Key, Value>();
  #bytes = 0;

  constructor(maxBytes: number, bytesOf: (value: Value) => number) {
    this.#maxBytes = maxBytes;
    this.#bytesOf = bytesOf;
  }

  get(key: Key): Value | undefined {
    const value = this.#kept.get(key);
    if (value === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    const bytes = this.#bytesOf(value);
    if (bytes > this.#maxBytes || this.#kept.has(key)) return;
    this.#kept.set(key, value);
    this.#bytes += bytes;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#kept.delete(oldest);
      this.#bytes -= this.#bytesOf(old);
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}
