// Cursor up, erase to the end of the line or of the screen, any letter.
const kEscape = String.fromCharCode(27);
const kPieces = new RegExp(`${kEscape}\\[(\\d+)A|${kEscape}\\[([JK])|[\\s\\S]`, 'g');

/** A terminal that keeps its screen: text, line feeds, and the few control sequences that commands use. */
export class Screen {
  readonly isTTY = true;
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;
  /** Everything that was written. */
  raw = '';

  constructor(
    readonly columns = 100,
    readonly rows = 30,
  ) {}

  write = (text: string): void => {
    this.raw += text;
    for (const [part, up, erase] of text.matchAll(kPieces)) {
      if (up !== undefined) this.#row = Math.max(0, this.#row - Number(up));
      else if (erase === 'K') this.#cut();
      else if (erase === 'J') {
        this.#cut();
        this.#lines.length = this.#row + 1;
      } else if (part === '\r') this.#column = 0;
      else if (part === '\n') {
        this.#row += 1;
        this.#column = 0;
        this.#lines[this.#row] ??= '';
      } else this.#put(part);
    }
  };

  /** The lines on show, without blank ends. */
  text(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  #cut(): void {
    this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
  }

  #put(letter: string): void {
    if (this.#column >= this.columns) throw new Error('a line wraps');
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + letter + line.slice(this.#column + 1);
    this.#column += 1;
  }
}
