// Resolved by scripts/inline-browser.mjs at build and in tests.

/** A browser entry, bundled with what it imports into one classic script. */
declare module '*?script' {
  const code: string;
  export default code;
}

/** A file as it is. */
declare module '*?text' {
  const text: string;
  export default text;
}
