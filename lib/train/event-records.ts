// The records of TensorBoard's event files: tensorflow.Event messages (protobuf) in TFRecord framing. Only what scalars
// need is written, by hand. Field numbers are those of tensorflow/core/util/event.proto and framework/summary.proto:
//
//   Event        1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
//   Summary      1 value Value (repeated)
//   Value        1 tag string, 2 simple_value float
//   SessionLog   1 status enum (START = 1)

import { crc32c } from './crc32c.js';

/** A named value: `train/loss`. */
export interface Scalar {
  tag: string;
  value: number;
}

const kVarint = 0;
const kFixed64 = 1;
const kBytes = 2;
const kFixed32 = 5;

/** First record of every event file. `seconds` are since 1970. */
export function versionRecord(seconds: number): Buffer {
  return frame([wallTime(seconds), bytesField(3, Buffer.from('brain.Event:2'))]);
}

/** A session begins at `step`: readers forget what earlier files of the folder say of this step and later ones. */
export function sessionStartRecord(seconds: number, step: number): Buffer {
  const started = Buffer.concat([key(1, kVarint), varint(1)]);
  return frame([wallTime(seconds), stepField(step), bytesField(7, started)]);
}

/** Scalars of one step; values become float32. */
export function scalarsRecord(seconds: number, step: number, scalars: readonly Scalar[]): Buffer {
  const values = scalars.map(({ tag, value }) => {
    const number = Buffer.alloc(4);
    number.writeFloatLE(value);
    const parts = [bytesField(1, Buffer.from(tag)), key(2, kFixed32), number];
    return bytesField(1, Buffer.concat(parts));
  });
  return frame([wallTime(seconds), stepField(step), bytesField(5, Buffer.concat(values))]);
}

/** TFRecord: length (uint64), masked checksum of the length, the message, masked checksum of the message. */
function frame(message: readonly Buffer[]): Buffer {
  const data = Buffer.concat(message);
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(masked(crc32c(record.subarray(0, 8))), 8);
  data.copy(record, 12);
  record.writeUInt32LE(masked(crc32c(data)), 12 + data.length);
  return record;
}

/** A checksum as TFRecord stores it: rotated and shifted, for data that holds checksums of its own. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function wallTime(seconds: number): Buffer {
  const field = Buffer.alloc(9);
  field[0] = (1 << 3) | kFixed64;
  field.writeDoubleLE(seconds, 1);
  return field;
}

function stepField(step: number): Buffer {
  return Buffer.concat([key(2, kVarint), varint(step)]);
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([key(number, kBytes), varint(bytes.length), bytes]);
}

function key(number: number, wireType: number): Buffer {
  return varint((number << 3) | wireType);
}

/** Seven bits a byte, the lowest first. `value` is an integer from 0 to 2^53 - 1: no bitwise operators. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
