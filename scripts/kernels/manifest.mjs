// What another tool needs to launch a kernel from its PTX: entry points, and the layout of their parameter structs.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { normalise } from './symbols.mjs';

/** Entry points of a PTX text: their mangled names, bytes of parameters, and threads a block at most. */
export function readPtxEntries(text) {
  const entries = [];
  for (const [, entry, parameters, directives] of text.matchAll(
    /\.entry\s+(\S+?)\(([^)]*)\)([^{]*)\{/g,
  )) {
    const sizes = [...parameters.matchAll(/\.param\s+(?:\.align\s+\d+\s+)?\.b8\s+\S+?\[(\d+)\]/g)];
    entries.push({
      entry,
      parameterBytes: sizes.reduce((sum, [, size]) => sum + Number(size), 0),
      maxThreads: Number(/\.maxntid\s+(\d+)/.exec(directives)?.[1] ?? 0),
    });
  }
  return entries;
}

/** Text without comments and strings, of the same meaning to a reader of declarations. */
function withoutComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, ' ');
}

/** From the brace at `begin` to the one that closes it, without both. */
function braced(text, begin) {
  let depth = 0;
  for (let i = begin; i < text.length; i++) {
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return text.slice(begin + 1, i);
  }
  throw new Error('a brace is never closed');
}

/**
 * Names of the fields of a plain struct, in order, from the text between its braces. Functions, static members and types
 * are left out. The compiler checks the result (layoutProgram): a name that is wrong does not compile, and one that
 * is missing leaves a gap.
 */
export function fieldNames(body) {
  let flat = withoutComments(body).replace(/^\s*#.*$/gm, ' ');
  // Bodies of functions and initialisers hide no field.
  while (/\{[^{}]*\}/.test(flat)) flat = flat.replace(/\{[^{}]*\}/g, ' @ ');
  while (/<[^<>]*>/.test(flat)) flat = flat.replace(/<[^<>]*>/g, ' ');
  const names = [];
  for (const statement of flat.split(/;|(?<=\)\s*(?:const)?\s*(?:noexcept)?\s*)@/)) {
    const text = statement.trim();
    if (
      text === '' ||
      /^(static|using|typedef|friend|template|struct|enum|static_assert)\b/.test(text)
    )
      continue;
    if (/^[^=]*\(/.test(text)) continue;
    for (const declarator of text.split(',')) {
      const name = /([A-Za-z_]\w*)\s*(\[[^\]]*\]\s*)*(@|=.*)?$/s.exec(
        declarator.replace(/=[\s\S]*/, '').trim(),
      )?.[1];
      if (name) names.push(name);
    }
  }
  return names;
}

/** All structs defined in the kernel headers: [{ name, header, fields }]. */
export function findStructs(root) {
  const folder = join(root, 'native', 'kernels');
  const found = [];
  for (const file of readdirSync(folder)
    .filter((f) => f.endsWith('.cuh'))
    .sort()) {
    const text = withoutComments(readFileSync(join(folder, file), 'utf8'));
    for (const match of text.matchAll(/\bstruct\s+(?:alignas\s*\(\w+\)\s*)?([A-Za-z_]\w*)\s*\{/g)) {
      const body = braced(text, match.index + match[0].length - 1);
      found.push({ name: match[1], header: `kernels/${file}`, fields: fieldNames(body) });
    }
  }
  return found;
}

/**
 * C++ that prints the layout of the given types as JSON. Each must be in `structs` once.
 *
 * @param {string[]} types as c++filt writes them: `wam::cuda::AttentionParams<wam::cuda::bf16>`
 */
export function layoutProgram(types, structs) {
  const described = types.map((type) => {
    const name = structName(type);
    const definitions = structs.filter((s) => s.name === name);
    if (definitions.length !== 1) {
      throw new Error(`${type}: native/kernels/*.cuh define it ${definitions.length} times`);
    }
    return { type, ...definitions[0] };
  });
  const headers = [...new Set(described.map(({ header }) => header))].sort();
  const bodies = described.map(
    ({ type, name, header, fields }) => `
  {
    using S = ${type.replace(/\((?:int|unsigned int|long|unsigned long|bool)\)(?=\d)/g, '')};
    std::printf("%s{\\"type\\": \\"%s\\", \\"struct\\": \\"${name}\\", \\"header\\": \\"native/${header}\\", "
                "\\"size\\": %zu, \\"align\\": %zu, \\"fields\\": [",
                first ? "" : ",\\n", ${JSON.stringify(normalise(type))}, sizeof(S), alignof(S));
    first = false;
    Fields f;
${fields.map((field) => `    f.add<decltype(S::${field})>("${field}", offsetof(S, ${field}));`).join('\n')}
    f.end(sizeof(S), alignof(S), "${name}");
    std::printf("]}");
  }`,
  );
  return `// Written by scripts/build-kernels.mjs: prints the layout of the kernels' parameter structs.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
${headers.map((header) => `#include "${header}"`).join('\n')}

template <class T>
std::string type_name() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t begin = text.find("T = ") + 4;
  return std::string(text.substr(begin, text.find(';', begin) - begin));
}

struct Fields {
  std::size_t end_of_last = 0;
  bool first = true;
  static std::size_t up(std::size_t v, std::size_t unit) { return (v + unit - 1) / unit * unit; }
  static void fail(const char* what) {
    std::fprintf(stderr, "the fields read from the header do not fill the struct: %s\\n", what);
    std::exit(1);
  }
  template <class T>
  void add(const char* name, std::size_t offset) {
    if (offset != up(end_of_last, alignof(T))) fail(name);
    end_of_last = offset + sizeof(T);
    std::printf("%s{\\"name\\": \\"%s\\", \\"type\\": \\"%s\\", \\"offset\\": %zu, \\"size\\": %zu}", first ? "" : ", ", name,
                type_name<T>().c_str(), offset, sizeof(T));
    first = false;
  }
  void end(std::size_t size, std::size_t align, const char* name) {
    if (up(end_of_last, align) != size) fail(name);
  }
};

int main() {
  bool first = true;
  std::printf("[");${bodies.join('')}
  std::printf("]\\n");
}
`;
}

/** Types of fields in `layouts` that are structs of the kernel headers themselves, as c++filt would write them. */
export function nestedStructs(layouts, structs) {
  const definitions = (name) => structs.filter((s) => s.name === name).length;
  const types = layouts.flatMap(({ fields }) =>
    fields.map(({ type }) => type.replace(/ ?\[.*$/, '')),
  );
  const ours = types.filter((type) => /^wam::/.test(type) && !type.endsWith('*'));
  return [...new Set(ours)].filter((type) => definitions(structName(type)) === 1);
}

/** Last component of a type's name, without template arguments. */
function structName(type) {
  return type.replace(/<.*$/s, '').split('::').at(-1);
}

/**
 * How to launch each kernel from the PTX files of `folder`, one entry for each entry point and front-end pass.
 *
 * @param architectures as of scripts/cuda-toolkit.mjs
 * @param resources, registry what build-cuda/ has under these names
 * @param layouts what the program of layoutProgram printed
 */
export function manifestOf(folder, architectures, resources, registry, layouts) {
  const built = new Map(resources.kernels.map((kernel) => [kernel.entry, kernel]));
  const listed = new Map(registry.map((info) => [normalise(info.symbol), info]));
  const structs = Object.fromEntries(layouts.map(({ type, ...layout }) => [type, layout]));
  const kernels = [];
  for (const { virtual, real } of architectures) {
    const first = join(folder, `sm_${real[0]}`);
    for (const file of readdirSync(first).sort()) {
      for (const found of readPtxEntries(readFileSync(join(first, file), 'utf8'))) {
        const { symbol, source, parameters } = built.get(found.entry);
        const struct = normalise(parameters);
        if (structs[struct].size !== found.parameterBytes) {
          throw new Error(
            `${symbol}: its PTX takes ${found.parameterBytes} bytes, ${struct} has ${structs[struct].size}`,
          );
        }
        const info = listed.get(symbol);
        kernels.push({
          ...{ files: real.map((arch) => `sm_${arch}/${file}`), virtualArchitecture: virtual },
          ...{ entry: found.entry, symbol, source, parameters: struct },
          ...{ parameterBytes: found.parameterBytes, threads: info?.threads ?? found.maxThreads },
          dynamicSharedBytes: info?.shared_bytes,
        });
      }
    }
  }
  return { structs, kernels };
}
