import { describe, expect, it } from 'vitest';
import { checksum, integerValues, linearValues, signedValues } from '../bench/peers/inputs.mjs';
import { attentionModel, PlannerModels, productModel } from '../bench/peers/models.mjs';
import { Graph } from '../bench/peers/onnx.mjs';
import { decode, Message } from '../bench/peers/protobuf.mjs';

type Value = bigint | number | Buffer;

/** Values of one field of a message. */
const all = (bytes: Uint8Array, field: number): Value[] =>
  decode(bytes)
    .filter((entry) => entry.field === field)
    .map(({ value }) => value);
const one = (bytes: Uint8Array, field: number) => {
  const values = all(bytes, field);
  expect(values).toHaveLength(1);
  return values[0]!;
};
const message = (bytes: Uint8Array, field: number) => one(bytes, field) as Buffer;
const texts = (bytes: Uint8Array, field: number) => all(bytes, field).map(String);

describe('the protobuf writer', () => {
  it('writes what reads back the same', () => {
    const inner = new Message().int(1, -1).bytes(2, 'text');
    const bytes = new Message()
      .int(1, 300)
      .int(16, 2n ** 62n)
      .float(3, 0.5)
      .bytes(200, inner)
      .each('int', 7, [0, 127, 128])
      .encode();
    expect(all(bytes, 1)).toEqual([300n]);
    expect(all(bytes, 16)).toEqual([2n ** 62n]);
    expect(all(bytes, 3)).toEqual([0.5]);
    expect(all(bytes, 7)).toEqual([0n, 127n, 128n]);
    expect(one(message(bytes, 200), 1)).toBe(-1n);
    expect(String(one(message(bytes, 200), 2))).toBe('text');
  });

  it('has the bytes of the format', () => {
    // The examples of the protobuf documentation: field 1 = 150, field 2 = "testing".
    expect([...new Message().int(1, 150).encode()]).toEqual([0x08, 0x96, 0x01]);
    expect(new Message().bytes(2, 'testing').encode().toString('hex')).toBe('120774657374696e67');
  });

  it('reads no message that is cut off', () => {
    const bytes = new Message().bytes(2, 'testing').encode();
    expect(() => decode(bytes.subarray(0, 5))).toThrow(RangeError);
    expect(() => decode(Buffer.from([0x08, 0x80]))).toThrow(RangeError);
    expect(() => decode(Buffer.from([0x0b]))).toThrow('wire type 3');
  });
});

describe('the ONNX writer', () => {
  it('writes a model that reads back the same', () => {
    const g = new Graph();
    const x = g.input('x', ['rows', 2]);
    const [a, b] = g.op('Split', [x], { axis: -1 }, 2) as string[];
    const scaled = g.op('Mul', [a, g.constant('w', Float32Array.of(1.5, -2), [2, 1])]);
    const normed = g.contrib('Norm', [scaled, b], { epsilon: { float: 0.25 }, axes: [0, 1] });
    g.output('y', normed, ['rows', 1]);
    const model = g.encode();

    expect(one(model, 1)).toBe(8n);
    const opsets = all(model, 8).map((set) => [texts(set as Buffer, 1)[0], one(set as Buffer, 2)]);
    expect(opsets).toEqual([
      ['', 17n],
      ['com.microsoft', 1n],
    ]);
    const graph = message(model, 7);
    const nodes = all(graph, 1) as Buffer[];
    expect(nodes.map((node) => [texts(node, 4)[0], texts(node, 7)[0]])).toEqual([
      ['Split', ''],
      ['Mul', ''],
      ['Norm', 'com.microsoft'],
      ['Identity', ''],
    ]);
    expect(texts(nodes[0]!, 1)).toEqual(['x']);
    expect(texts(nodes[0]!, 2)).toEqual([a, b]);
    expect(texts(nodes[2]!, 1)).toEqual([scaled, b]);
    const [epsilon, axes] = all(nodes[2]!, 5) as Buffer[];
    expect([texts(epsilon!, 1)[0], one(epsilon!, 2), one(epsilon!, 20)]).toEqual([
      'epsilon',
      0.25,
      1n,
    ]);
    expect([texts(axes!, 1)[0], all(axes!, 8), one(axes!, 20)]).toEqual(['axes', [0n, 1n], 7n]);

    const tensor = message(graph, 5);
    expect([all(tensor, 1), one(tensor, 2), texts(tensor, 8)]).toEqual([[2n, 1n], 1n, ['w']]);
    const raw = message(tensor, 9);
    expect([raw.readFloatLE(0), raw.readFloatLE(4)]).toEqual([1.5, -2]);
    const shape = message(message(message(message(graph, 11), 2), 1), 2);
    const [rows, columns] = all(shape, 1) as Buffer[];
    expect([texts(rows!, 2), one(columns!, 1)]).toEqual([['rows'], 2n]);
    expect(texts(message(graph, 12), 1)).toEqual(['y']);
  });

  it('keeps one tensor a name', () => {
    const g = new Graph();
    for (let i = 0; i < 3; i++) g.whole([1, 2]);
    expect(all(message(g.encode(), 7), 5)).toHaveLength(1);
  });

  it.each([
    ['W2', attentionModel(8, 32, true), ['q', 'k', 'v'], ['o']],
    ['W3', productModel(8, 4), ['a'], ['c']],
  ])(
    'builds the graph of %s from values that all come from somewhere',
    (_, model, inputs, outputs) => {
      expectWholeGraph(model, inputs, outputs);
    },
  );

  it.each([false, true])('builds the planner graphs, contrib operators: %s', (fused) => {
    const models = new PlannerModels(fused);
    const cache = Array.from({ length: 6 }, (_, l) => [`k${l}`, `v${l}`]).flat();
    expectWholeGraph(models.full(), ['ids', 'prefix', 'step'], ['logits', 'next']);
    expectWholeGraph(models.prefill(), ['prefix'], cache);
    expectWholeGraph(models.cachedStep(), [...cache, 'ids', 'step'], ['logits', 'next']);
    expectWholeGraph(models.unrolled(), ['ids', 'prefix'], ['logits', 'next']);
  });
});

/** Every node reads what is an input, a tensor or the result of a node before it. */
function expectWholeGraph(model: Uint8Array, inputs: string[], outputs: string[]) {
  const graph = message(model, 7);
  const names = (field: number, of: number) =>
    (all(graph, field) as Buffer[]).map((entry) => texts(entry, of)[0]!);
  expect(names(11, 1).sort()).toEqual([...inputs].sort());
  expect(names(12, 1).sort()).toEqual([...outputs].sort());
  const known = new Set([...names(11, 1), ...names(5, 8)]);
  for (const node of all(graph, 1) as Buffer[]) {
    for (const input of texts(node, 1)) expect(known, texts(node, 4)[0]).toContain(input);
    for (const output of texts(node, 2)) known.add(output);
  }
  for (const output of outputs) expect(known).toContain(output);
}

describe('the inputs of the workloads', () => {
  it('are the hash that is written down', () => {
    // Worked out with whole numbers of any size, beside the 32-bit arithmetic of the module.
    const reference = (name: string, index: number) => {
      const wrap = (value: bigint) => BigInt.asUintN(32, value);
      let key = 2166136261n;
      for (const byte of Buffer.from(name)) key = wrap((key ^ BigInt(byte)) * 16777619n);
      let h = wrap((key ^ 20240607n) + BigInt(index) * 0x9e3779b9n);
      h ^= h >> 16n;
      h = wrap(h * 0x7feb352dn);
      h ^= h >> 15n;
      h = wrap(h * 0x846ca68bn);
      return Number(h ^ (h >> 16n));
    };
    const values = signedValues('W3.a', 1000, 1);
    const whole = integerValues('W1.ids', 1000, 4001);
    for (const i of [0, 1, 17, 999]) {
      expect(values[i]).toBe(2 * (reference('W3.a', i) >>> 8) * 2 ** -24 - 1);
      expect(whole[i]).toBe(reference('W1.ids', i) % 4001);
    }
    const scale = Math.fround(Math.sqrt(3 / 16));
    expect(linearValues('W3.b', 16, 2)[3]).toBe(Math.fround(signedValues('W3.b', 4)[3]! * scale));
  });

  it('are told by their checksums', () => {
    expect(checksum([1, -2, 3])).toEqual([2, 6, 1, -2, 3]);
    expect(checksum(BigInt64Array.of(5n, 7n))).toEqual([12, 12, 5, 7, 7]);
  });
});
