// A reader of TensorBoard's event files that shares nothing with the writer: checksums bit by bit, protobuf by its rules.

/** What one record says. */
export interface EventRecord {
  wallTime: number;
  step: number;
  fileVersion?: string;
  /** SessionLog.status. */
  session?: number;
  scalars: Record<string, number>;
}

/** CRC-32C by polynomial division, a bit at a time, on integers of any size. */
export function bitwiseCrc32c(data: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of data) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; ++bit) {
      const out = remainder & 1n;
      remainder >>= 1n;
      if (out === 1n) remainder ^= 0x82f63b78n;
    }
  }
  return Number(remainder ^ 0xffffffffn);
}

/** The checksum as it is stored: rotated right by 15, plus a constant, modulo 2^32. */
function maskedCrc(data: Uint8Array): number {
  const crc = BigInt(bitwiseCrc32c(data));
  const rotated = (crc >> 15n) + (crc % 2n ** 15n) * 2n ** 17n;
  return Number((rotated + 0xa282ead8n) % 2n ** 32n);
}

/** All records of a file. Throws at wrong framing, a wrong checksum, an unknown field. */
export function readEventFile(file: Buffer): EventRecord[] {
  const records: EventRecord[] = [];
  for (let at = 0; at < file.length; ) {
    if (file.length - at < 16) throw new Error(`byte ${at}: a torn record`);
    const length = Number(file.readBigUInt64LE(at));
    if (at + length + 16 > file.length) throw new Error(`byte ${at}: a torn record`);
    const data = file.subarray(at + 12, at + 12 + length);
    if (file.readUInt32LE(at + 8) !== maskedCrc(file.subarray(at, at + 8))) {
      throw new Error(`byte ${at}: checksum of the length`);
    }
    if (file.readUInt32LE(at + 12 + length) !== maskedCrc(data)) {
      throw new Error(`byte ${at}: checksum of the data`);
    }
    records.push(eventOf(data));
    at += length + 16;
  }
  return records;
}

function eventOf(data: Buffer): EventRecord {
  const event: EventRecord = { wallTime: Number.NaN, step: 0, scalars: {} };
  for (const [field, value] of fieldsOf(data)) {
    if (field === 1) event.wallTime = (value as Buffer).readDoubleLE();
    else if (field === 2) event.step = Number(value);
    else if (field === 3) event.fileVersion = (value as Buffer).toString();
    else if (field === 5) Object.assign(event.scalars, scalarsOf(value as Buffer));
    else if (field === 7) event.session = Number(Object.fromEntries(fieldsOf(value as Buffer))[1]);
    else throw new Error(`unknown field ${field} of Event`);
  }
  return event;
}

function scalarsOf(summary: Buffer): Record<string, number> {
  return Object.fromEntries(
    fieldsOf(summary).map(([field, value]) => {
      if (field !== 1) throw new Error(`unknown field ${field} of Summary`);
      const { 1: tag, 2: number } = Object.fromEntries(fieldsOf(value as Buffer));
      return [(tag as Buffer).toString(), (number as Buffer).readFloatLE()];
    }),
  );
}

/** Fields of a message in their order: varints as integers, everything else as bytes. */
function fieldsOf(message: Buffer): [number, bigint | Buffer][] {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('a torn varint');
      value += BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const bytes = (count: number): Buffer => {
    if (at + count > message.length) throw new Error('a torn field');
    at += count;
    return message.subarray(at - count, at);
  };
  const fields: [number, bigint | Buffer][] = [];
  while (at < message.length) {
    const key = Number(varint());
    const wireType = key % 8;
    const number = Math.floor(key / 8);
    if (wireType === 0) fields.push([number, varint()]);
    else if (wireType === 1) fields.push([number, bytes(8)]);
    else if (wireType === 2) fields.push([number, bytes(Number(varint()))]);
    else if (wireType === 5) fields.push([number, bytes(4)]);
    else throw new Error(`wire type ${wireType}`);
  }
  return fields;
}
