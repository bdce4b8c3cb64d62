/**
 * Decimal notation with a fixed number of decimals, digit for digit as Python's `'%.{d}f' % value` and
 * `round(value, d)` give it: the exact binary value is rounded to nearest, an exact tie to the even last digit.
 * `Number.prototype.toFixed` differs in the ties alone, which it rounds up.
 *
 * Negative zero and negative values that round to zero give `0.00`, so that every number has one notation.
 *
 * @param value finite, |value| < 1e21 (beyond that JavaScript leaves decimal notation)
 * @param decimals 0 to 15
 */
export function formatDecimal(value: number, decimals: number): string {
  const magnitude = Math.abs(value);
  // value 10^d = n + 1/2 exactly only when value is an odd multiple of 2^-(d+1), because 5^d divides out of 10^d.
  const halves = magnitude * 2 ** (decimals + 1);
  let digits = magnitude.toFixed(decimals);
  if (Number.isInteger(halves) && halves % 2 === 1 && /[13579]$/.test(digits)) {
    // toFixed went up to an odd digit; the even neighbour below is one unit less, with no borrow to think of.
    digits = `${digits.slice(0, -1)}${Number(digits.at(-1)) - 1}`;
  }
  const isZero = /^[0.]*$/.test(digits);
  return value < 0 && !isZero ? `-${digits}` : digits;
}
