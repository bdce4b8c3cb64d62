// The part of the protobuf wire format that ONNX files need: varints, floats, and what has a length.

const kVarint = 0;
const kLength = 2;
const kFloat = 5;

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** A message under construction; every method returns it. */
export class Message {
  #parts = [];

  int(field, value) {
    this.#parts.push(varint((field << 3) | kVarint), varint(value));
    return this;
  }

  float(field, value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.#parts.push(varint((field << 3) | kFloat), bytes);
    return this;
  }

  /** A string, bytes, or a message inside this one. */
  bytes(field, value) {
    const content =
      value instanceof Message
        ? value.encode()
        : typeof value === 'string'
          ? Buffer.from(value)
          : value;
    this.#parts.push(varint((field << 3) | kLength), varint(content.length), content);
    return this;
  }

  each(method, field, values) {
    for (const value of values) this[method](field, value);
    return this;
  }

  encode() {
    return Buffer.concat(this.#parts);
  }
}

/** Fields of a message as [{ field, value }]: bigint for a varint, number for a float, bytes for the rest. */
export function decode(bytes) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = [];
  let at = 0;
  const read = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[at++];
      if (byte === undefined) throw new RangeError('the message ends inside a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < buffer.length) {
    const tag = Number(read());
    const field = tag >> 3;
    const kind = tag & 7;
    if (kind === kVarint) {
      fields.push({ field, value: BigInt.asIntN(64, read()) });
    } else if (kind === kFloat) {
      fields.push({ field, value: buffer.readFloatLE(at) });
      at += 4;
    } else if (kind === kLength) {
      const length = Number(read());
      if (at + length > buffer.length) throw new RangeError('the message ends inside a field');
      fields.push({ field, value: buffer.subarray(at, at + length) });
      at += length;
    } else {
      throw new RangeError(`wire type ${kind} is not in use here`);
    }
  }
  return fields;
}
