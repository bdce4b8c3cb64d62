// Writes ONNX models. A graph is built node by node; every value is a name.

import { Message } from './protobuf.mjs';

const kFloat = 1;
const kInt64 = 7;
const kIrVersion = 8;
const kOpset = 17;
const kContrib = 'com.microsoft';

function attribute(name, value) {
  const message = new Message().bytes(1, name);
  if (Array.isArray(value)) return message.each('int', 8, value).int(20, 7);
  if (typeof value === 'string') return message.bytes(4, value).int(20, 3);
  // Whole numbers are `int` attributes; a float one is given as { float }.
  if (typeof value === 'object') return message.float(2, value.float).int(20, 1);
  return message.int(3, value).int(20, 2);
}

/** A name and a type; sizes are numbers, or names where they may differ from call to call. */
function valueInfo(name, type, shape) {
  const dimensions = shape.map((size) =>
    typeof size === 'number' ? new Message().int(1, size) : new Message().bytes(2, size),
  );
  const tensor = new Message().int(1, type).bytes(2, new Message().each('bytes', 1, dimensions));
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
}

export class Graph {
  #nodes = [];
  #constants = new Map();
  #inputs = [];
  #outputs = [];
  #count = 0;

  input(name, shape, type = 'float') {
    this.#inputs.push(valueInfo(name, type === 'float' ? kFloat : kInt64, shape));
    return name;
  }

  output(name, value, shape, type = 'float') {
    this.#node('Identity', '', [value], [name], {});
    this.#outputs.push(valueInfo(name, type === 'float' ? kFloat : kInt64, shape));
  }

  /** A tensor of the model: floats, or whole numbers in a plain array. The same name is the same tensor. */
  constant(name, values, shape) {
    if (this.#constants.has(name)) return name;
    const floats = values instanceof Float32Array;
    const data = floats ? values : BigInt64Array.from(values, BigInt);
    this.#constants.set(
      name,
      new Message()
        .each('int', 1, shape ?? [data.length])
        .int(2, floats ? kFloat : kInt64)
        .bytes(8, name)
        .bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
    );
    return name;
  }

  number(value) {
    return this.constant(`number ${value}`, Float32Array.of(value), []);
  }
  whole(values) {
    return this.constant(`whole ${values}`, values);
  }

  /**
   * A node of the standard operators with one output, or as many as `outputs` says: then a list of names.
   *
   * @param {number} [outputs]
   */
  op(type, inputs, attributes = {}, outputs) {
    return this.#add(type, '', inputs, attributes, outputs);
  }
  /**
   * A node of onnxruntime's own operators.
   *
   * @param {number} [outputs]
   */
  contrib(type, inputs, attributes = {}, outputs) {
    return this.#add(type, kContrib, inputs, attributes, outputs);
  }

  encode() {
    const graph = new Message()
      .each('bytes', 1, this.#nodes)
      .bytes(2, 'bench')
      .each('bytes', 5, [...this.#constants.values()])
      .each('bytes', 11, this.#inputs)
      .each('bytes', 12, this.#outputs);
    const opset = (domain, version) => new Message().bytes(1, domain).int(2, version);
    return new Message()
      .int(1, kIrVersion)
      .bytes(7, graph)
      .bytes(8, opset('', kOpset))
      .bytes(8, opset(kContrib, 1))
      .encode();
  }

  #add(type, domain, inputs, attributes, outputs) {
    const names = Array.from({ length: outputs ?? 1 }, () => `value ${this.#count++}`);
    this.#node(type, domain, inputs, names, attributes);
    return outputs === undefined ? names[0] : names;
  }

  #node(type, domain, inputs, outputs, attributes) {
    this.#nodes.push(
      new Message()
        .each('bytes', 1, inputs)
        .each('bytes', 2, outputs)
        .bytes(4, type)
        .each(
          'bytes',
          5,
          Object.entries(attributes).map(([name, value]) => attribute(name, value)),
        )
        .bytes(7, domain),
    );
  }
}
