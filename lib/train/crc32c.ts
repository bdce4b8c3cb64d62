// CRC-32C (Castagnoli), the checksum of TFRecord files: RFC 3720, appendix B.4.

/** The polynomial 0x1EDC6F41, bits reversed. */
const kPolynomial = 0x82f63b78;

const kTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ kPolynomial : crc >>> 1;
  return crc;
});

/** CRC-32C of `data`, from 0 to 2^32 - 1. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = kTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
