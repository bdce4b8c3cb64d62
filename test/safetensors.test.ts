// The reader is checked against bytes laid out by hand here and against files written by the format's own library
// (../shared/flow-golden), the writer by reading its header with JSON.parse.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WamFlowError } from '../lib/errors.js';
import {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  toFloat32,
} from '../lib/model/safetensors.js';

const kGolden = new URL('../../shared/flow-golden/', import.meta.url);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wam-safetensors-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of this header text and this many data bytes. */
function file(header: string, data: Uint8Array | number = 0): Uint8Array {
  const text = Buffer.from(header);
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof WamFlowError) return error.code;
    throw error;
  }
  return 'none';
}

async function codeOfAsync(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (error instanceof WamFlowError) return error.code;
    throw error;
  }
  return 'none';
}

const kEntry = (dtype: string, shape: number[], begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe('reading', () => {
  it('gives every dtype in row-major order', () => {
    const data = new ArrayBuffer(8 + 8 + 4 + 4 + 4 + 8);
    const at = new DataView(data);
    at.setFloat64(0, Math.PI, true);
    at.setBigInt64(8, -(2n ** 40n), true);
    at.setFloat32(16, 1.5, true);
    at.setInt32(20, -7, true);
    at.setUint16(24, 0x3c00, true); // half 1
    at.setUint16(26, 0xc020, true); // bfloat16 -2.5
    new Uint8Array(data, 28).set([1, 2, 3, 255, 0, 1, 1, 0]);
    const header = `{"d":${kEntry('F64', [], 0, 8)},"l":${kEntry('I64', [1, 1], 8, 16)},"f":${kEntry('F32', [1], 16, 20)},
      "i":${kEntry('I32', [1], 20, 24)},"h":${kEntry('F16', [1], 24, 26)},"b":${kEntry('BF16', [1], 26, 28)},
      "u":${kEntry('U8', [2, 2], 28, 32)},"z":${kEntry('BOOL', [4], 32, 36)},"__metadata__":{"format":"pt"}}   `;
    const { tensors, metadata } = parseSafetensors(file(header, new Uint8Array(data)));
    expect(tensors.get('d')).toEqual({ dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) });
    expect(tensors.get('l')?.data).toEqual(BigInt64Array.of(-(2n ** 40n)));
    expect(tensors.get('f')?.data).toEqual(Float32Array.of(1.5));
    expect(tensors.get('i')?.data).toEqual(Int32Array.of(-7));
    expect(toFloat32(tensors.get('h')!, 'h')).toEqual(Float32Array.of(1));
    expect(toFloat32(tensors.get('b')!, 'b')).toEqual(Float32Array.of(-2.5));
    expect(tensors.get('u')).toEqual({
      dtype: 'U8',
      shape: [2, 2],
      data: Uint8Array.of(1, 2, 3, 255),
    });
    expect(tensors.get('z')?.data).toEqual(Uint8Array.of(0, 1, 1, 0));
    expect(metadata.get('format')).toBe('pt');
    expect(codeOf(() => toFloat32(tensors.get('i')!, 'i'))).toBe('ERR_CHECKPOINT_CORRUPT');
  });

  it('copies data that its file does not align, in a Buffer as well', () => {
    const values = Float32Array.of(1, 2, 3);
    // A header of odd length, and inside it a tensor after a single byte.
    const header = `{"u":${kEntry('U8', [1], 0, 1)},"f":${kEntry('F32', [3], 1, 13)}}`;
    const data = new Uint8Array(13);
    data.set(new Uint8Array(values.buffer), 1);
    for (const pad of ['', ' ', '  ', '   ']) {
      const bytes = Buffer.from(file(header + pad, data));
      expect(parseSafetensors(bytes).tensors.get('f')?.data).toEqual(values);
    }
  });

  it('reads empty tensors and the empty file', () => {
    expect(parseSafetensors(file('{}')).tensors.size).toBe(0);
    const { tensors } = parseSafetensors(
      file(
        `{"a":${kEntry('F32', [0, 3], 0, 0)},"b":${kEntry('F32', [1], 0, 4)},"c":${kEntry('U8', [0], 4, 4)}}`,
        4,
      ),
    );
    expect(tensors.get('a')?.data.length).toBe(0);
    expect(tensors.get('b')?.data.length).toBe(1);
  });

  it.skipIf(!existsSync(kGolden))('reads the goldens as their header says', async () => {
    for (const name of ['nn_ops', 'metric_path', 'image_letterbox', 'tiny_janus_a/model']) {
      const path = new URL(`${name}.safetensors`, kGolden).pathname;
      const raw = readFileSync(path);
      const length = Number(raw.readBigUInt64LE(0));
      const header = JSON.parse(raw.toString('utf8', 8, 8 + length)) as Record<
        string,
        { dtype: string; shape: number[]; data_offsets: [number, number] }
      >;
      const { tensors } = await readSafetensors(path);
      delete header.__metadata__;
      expect([...tensors.keys()]).toEqual(Object.keys(header));
      for (const [key, { dtype, shape, data_offsets }] of Object.entries(header)) {
        const tensor = tensors.get(key)!;
        expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
        const bytes = Buffer.from(
          tensor.data.buffer,
          tensor.data.byteOffset,
          tensor.data.byteLength,
        );
        const [begin, end] = data_offsets;
        expect(bytes.equals(raw.subarray(8 + length + begin, 8 + length + end))).toBe(true);
      }
    }
  });
});

describe('16-bit formats', () => {
  it('widens all 65,536 half and bfloat16 patterns exactly', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const half = toFloat32({ dtype: 'F16', shape: [65536], data: bits }, 'h');
    const brain = toFloat32({ dtype: 'BF16', shape: [65536], data: bits }, 'b');
    const float = new DataView(new ArrayBuffer(4));
    for (let i = 0; i < 65536; i++) {
      float.setUint32(0, i * 65536);
      expect(Object.is(brain[i], float.getFloat32(0))).toBe(true);
      // A half in float32's layout: rebias the exponent by 112; subnormals are fraction x 2^-24.
      const exponent = (i >> 10) & 31;
      const magnitude = i & 0x7fff;
      if (exponent === 31)
        float.setUint32(0, ((i & 0x8000) << 16) | 0x7f800000 | ((i & 1023) << 13));
      else if (exponent > 0)
        float.setUint32(0, ((i & 0x8000) << 16) | ((magnitude << 13) + (112 << 23)));
      else float.setFloat32(0, (i & 0x8000 ? -1 : 1) * (i & 1023) * 2 ** -24);
      if (!Object.is(half[i], float.getFloat32(0)))
        expect([i, half[i]]).toEqual([i, float.getFloat32(0)]);
    }
  });
});

describe('writing', () => {
  const tensors = [
    { name: 'z', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'a"\\\u00e9', shape: [], data: Float32Array.of(-0) },
    { name: '10', shape: [0, 4], data: new Float32Array(0) },
    { name: '9', shape: [1], data: Float32Array.of(Number.NaN) },
  ];

  it('gives what another reader of the format understands', async () => {
    const { pieces } = await encodeSafetensors(tensors, { format: 'pt', b: '\u2028"' });
    const raw = Buffer.concat(pieces);
    const length = Number(raw.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    const header = JSON.parse(raw.toString('utf8', 8, 8 + length));
    expect(header.__metadata__).toMatchObject({ format: 'pt', b: '\u2028"' });
    expect(header.z).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [8, 32] });
    expect(header['a"\\\u00e9']).toEqual({ dtype: 'F32', shape: [], data_offsets: [4, 8] });
    expect(raw.readFloatLE(8 + length + 8 + 20)).toBe(6);
    expect(raw.length).toBe(8 + length + 32);
  });

  it('is read back unchanged, and does not depend on the order of the tensors', async () => {
    const forward = Buffer.concat((await encodeSafetensors(tensors, { a: '1', b: '2' })).pieces);
    const backward = Buffer.concat(
      (await encodeSafetensors([...tensors].reverse(), { b: '2', a: '1' })).pieces,
    );
    expect(forward.equals(backward)).toBe(true);
    const back = parseSafetensors(forward).tensors;
    for (const { name, shape, data } of tensors) {
      expect(back.get(name)).toEqual({ dtype: 'F32', shape, data });
    }
  });

  it('refuses two tensors of one name and data that does not fill its shape', async () => {
    const one = { name: 'a', shape: [1], data: new Float32Array(1) };
    expect(await codeOfAsync(encodeSafetensors([one, one]))).toBe('ERR_ARGUMENT');
    expect(await codeOfAsync(encodeSafetensors([{ ...one, shape: [2] }]))).toBe('ERR_SHAPE');
  });
});

describe('refusing', () => {
  const f32 = (begin: number, end: number) => kEntry('F32', [1], begin, end);
  const lies: Record<string, Uint8Array> = {
    'an empty file': new Uint8Array(0),
    'half a length': new Uint8Array(4),
    'a length alone': file('').subarray(0, 8),
    'a header longer than the file': (() => {
      const bytes = file('{}');
      new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true);
      return bytes;
    })(),
    'a header of zero bytes': file('', 8),
    'a header that is no object': file('[]'),
    'a header that does not end': file('{"a":'),
    'text after the header': file('{} x'),
    'a byte order mark': file('\ufeff{}'),
    'no UTF-8': file('{}', 0).map((byte, i) => (i === 9 ? 0xff : byte)),
    'a string without end': file('{"aaaaaaaa'),
    'a wrong escape': file('{"\\q":1}'),
    'a control character in a name': file(`{"a\nb":${f32(0, 4)}}`, 4),
    'a tensor twice': file(`{"a":${f32(0, 4)},"a":${f32(4, 8)}}`, 8),
    'a tensor twice by an escape': file(`{"a":${f32(0, 4)},"\\u0061":${f32(4, 8)}}`, 8),
    'the metadata twice': file('{"__metadata__":{},"__metadata__":{}}'),
    'a metadata key twice': file('{"__metadata__":{"a":"1","a":"2"}}'),
    'metadata that are no strings': file('{"__metadata__":{"a":1}}'),
    'a name that pollutes': file(`{"__proto__":${f32(0, 4)}}`, 4),
    'an empty name': file(`{"":${f32(0, 4)}}`, 4),
    'a very long name': file(`{"${'n'.repeat(2000)}":${f32(0, 4)}}`, 4),
    'an unknown key': file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}`, 1),
    'a key twice': file(`{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1),
    'no shape': file('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1),
    'one offset': file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0]}}', 1),
    'three offsets': file('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}}', 1),
    'an unknown dtype': file(`{"a":${kEntry('F8', [1], 0, 1)}}`, 1),
    'a dtype from the prototype': file(`{"a":${kEntry('toString', [1], 0, 1)}}`, 1),
    'a negative size': file(`{"a":${kEntry('F32', [-1], 0, 4)}}`, 4),
    'a fraction as size': file(`{"a":${kEntry('F32', [0.5], 0, 2)}}`, 2),
    'an exponent as size': file('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 1),
    'a size with leading zeros': file('{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}', 1),
    'a size over 2^53': file(
      '{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}',
      1,
    ),
    'a product that overflows 2^64': file(`{"a":${kEntry('F32', [2 ** 32, 2 ** 32], 0, 0)}}`),
    'sixty dimensions': file(`{"a":${kEntry('U8', Array(60).fill(1), 0, 1)}}`, 1),
    'a shape that needs more bytes': file(`{"a":${kEntry('F32', [2], 0, 4)}}`, 4),
    'offsets that run backwards': file(`{"a":${kEntry('F32', [1], 4, 0)}}`, 4),
    'data out of range': file(`{"a":${f32(0, 4)},"b":${f32(4, 8)}}`, 4),
    'overlapping tensors': file(`{"a":${kEntry('F32', [2], 0, 8)},"b":${f32(4, 8)}}`, 8),
    'two tensors at one place': file(`{"a":${f32(0, 4)},"b":${f32(0, 4)}}`, 4),
    'a hole': file(`{"a":${f32(0, 4)},"b":${f32(8, 12)}}`, 12),
    'a hole at the start': file(`{"a":${f32(4, 8)}}`, 8),
    'trailing bytes': file(`{"a":${f32(0, 4)}}`, 5),
    'data without tensors': file('{}', 1),
  };
  for (const [what, bytes] of Object.entries(lies)) {
    it(what, async () => {
      expect(codeOf(() => parseSafetensors(bytes))).toBe('ERR_CHECKPOINT_CORRUPT');
      const path = join(folder, 'lie.safetensors');
      writeFileSync(path, bytes);
      expect(await codeOfAsync(readSafetensors(path))).toBe('ERR_CHECKPOINT_CORRUPT');
    });
  }

  it('changed data, by the checksum', async () => {
    const path = join(folder, 'flip.safetensors');
    const tensor = { name: 'w', shape: [1000], data: new Float32Array(1000).fill(1) };
    const raw = Buffer.concat((await encodeSafetensors([tensor])).pieces);
    writeFileSync(path, raw);
    expect((await readSafetensors(path)).tensors.get('w')?.data[999]).toBe(1);
    raw[raw.length - 1000]! ^= 1;
    writeFileSync(path, raw);
    expect(await codeOfAsync(readSafetensors(path))).toBe('ERR_CHECKPOINT_CORRUPT');
  });

  it('what is not there or not a file', async () => {
    expect(await codeOfAsync(readSafetensors(join(folder, 'none')))).toBe(
      'ERR_CHECKPOINT_NOT_FOUND',
    );
    expect(await codeOfAsync(readSafetensors(folder))).toMatch(/ERR_IO|ERR_CHECKPOINT_CORRUPT/);
    if (process.platform === 'win32') return;
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(await codeOfAsync(readSafetensors(pipe))).toBe('ERR_CHECKPOINT_CORRUPT');
  });

  it('a terabyte that the header does not describe, without taking memory for it', async () => {
    const path = join(folder, 'sparse.safetensors');
    writeFileSync(path, file(`{"a":${f32(0, 4)}}`, 4));
    truncateSync(path, 2 ** 40);
    const before = process.memoryUsage().arrayBuffers;
    expect(await codeOfAsync(readSafetensors(path))).toBe('ERR_CHECKPOINT_CORRUPT');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  it('thousands of random cuts and flips with a WamFlowError or a sound result', async () => {
    const raw = Buffer.concat(
      (
        await encodeSafetensors(
          [
            { name: 'layer.weight', shape: [3, 5], data: new Float32Array(15) },
            { name: 'layer.bias', shape: [5], data: new Float32Array(5) },
          ],
          { model_type: 'wam-flow' },
        )
      ).pieces,
    );
    let seed = 12345;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    let refused = 0;
    for (let round = 0; round < 4000; round++) {
      let bytes = Buffer.from(raw);
      if (round % 2) bytes = bytes.subarray(0, random(bytes.length));
      else for (let i = 0; i <= random(3); i++) bytes[random(bytes.length - 80)] = random(256);
      try {
        for (const { shape, data } of parseSafetensors(bytes).tensors.values()) {
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        }
      } catch (error) {
        expect(error).toBeInstanceOf(WamFlowError);
        expect((error as WamFlowError).code).toBe('ERR_CHECKPOINT_CORRUPT');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(2000);
  });
});
