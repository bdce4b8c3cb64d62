#pragma once
// The safetensors container: 8 bytes of little-endian header length, a JSON header, the data of the tensors.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vla/mapped_file.h"
#include "vla/tensor_source.h"

namespace wam::vla {

/// What a header says of one tensor. Offsets are bytes from the end of the header, `end` exclusive.
struct StoredTensor {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

/// A checked header.
struct SafetensorsHeader {
  /// In the order of the header. They cover the data exactly: without a hole, an overlap or a byte to spare.
  std::vector<StoredTensor> tensors;
  /// Bytes of the file before the data.
  std::uint64_t data_begin = 0;
};

/// Parses and checks the JSON of a header against the number of bytes that follow it. Nothing of it is believed: names,
/// dtypes, shape x item size = bytes (overflow included), offsets.
/// Throws Error(ERR_CHECKPOINT_CORRUPT) that begins with `source`.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes, const std::string& source);

/// The same for an open file, of which only the header is read.
SafetensorsHeader read_safetensors_header(const MappedFile& file);

}  // namespace wam::vla
