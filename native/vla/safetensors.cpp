#include "vla/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "vla/json_reader.h"

namespace wam::vla {
namespace {

// The limit of the format. A header is also never longer than its file, so a lie about it costs no memory.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr DType kDTypes[] = {DType::f32, DType::bf16, DType::f16, DType::i64, DType::u8, DType::boolean};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

DType parse_dtype(JsonReader& json, const std::string& name) {
  const std::string text = json.string();
  std::string known;
  for (const DType dtype : kDTypes) {
    if (text == dtype_name(dtype)) return dtype;
    known += (known.empty() ? "" : ", ") + std::string(dtype_name(dtype));
  }
  json.fail("tensor " + in_quotes(name) + " has dtype " + in_quotes(text) + ", expected one of " + known);
}

std::vector<std::int64_t> parse_integers(JsonReader& json, const std::string& name, std::size_t limit) {
  std::vector<std::int64_t> values;
  json.array([&] {
    if (values.size() == limit) {
      json.fail("tensor " + in_quotes(name) + " has a list of more than " + std::to_string(limit) + " numbers");
    }
    values.push_back(json.integer());
  });
  return values;
}

void check_name(const JsonReader& json, const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  if (name.empty() || name.size() > kMaxNameBytes || control) {
    json.fail("a tensor is named " + in_quotes(name) + ", expected 1 to " + std::to_string(kMaxNameBytes) +
              " bytes without control characters");
  }
}

/// Bytes of a tensor; nothing when they do not fit 63 bits.
std::optional<std::uint64_t> byte_size(DType dtype, const std::vector<std::int64_t>& shape) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = item_size(dtype);
  for (const std::int64_t size : shape) {
    if (size != 0 && bytes > kMax / static_cast<std::uint64_t>(size)) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(size);
  }
  return bytes;
}

StoredTensor parse_tensor(JsonReader& json, const std::string& name) {
  check_name(json, name);
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> shape, offsets;
  json.object([&](const std::string& key) {
    if (key == "dtype") {
      dtype = parse_dtype(json, name);
    } else if (key == "shape") {
      shape = parse_integers(json, name, kMaxRank);
    } else if (key == "data_offsets") {
      offsets = parse_integers(json, name, 2);
    } else {
      json.fail("tensor " + in_quotes(name) + " has an unknown key " + in_quotes(key));
    }
  });
  if (!dtype || !shape || !offsets || offsets->size() != 2) {
    json.fail("tensor " + in_quotes(name) + " needs dtype, shape and two data_offsets");
  }
  const auto begin = static_cast<std::uint64_t>((*offsets)[0]), end = static_cast<std::uint64_t>((*offsets)[1]);
  const std::optional<std::uint64_t> bytes = byte_size(*dtype, *shape);
  if (!bytes || end < begin || end - begin != *bytes) {
    json.fail("tensor " + in_quotes(name) + " of " + dtype_name(*dtype) + " " + shape_text(*shape) + " needs " +
              (bytes ? std::to_string(*bytes) + " bytes" : "more bytes than any file has") +
              ", its data_offsets are [" + std::to_string(begin) + ", " + std::to_string(end) + "]");
  }
  return {name, *dtype, std::move(*shape), begin, end};
}

/// Every data byte belongs to exactly one tensor.
void check_cover(const JsonReader& json, const std::vector<StoredTensor>& tensors, std::uint64_t data_bytes) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) < std::pair(tensors[b].begin, tensors[b].end);
  });
  std::uint64_t at = 0;
  for (const std::size_t i : order) {
    const StoredTensor& tensor = tensors[i];
    if (tensor.begin != at) {
      json.fail("tensor " + in_quotes(tensor.name) +
                (tensor.begin < at ? " overlaps another" : " leaves a hole before it") + ": it begins at byte " +
                std::to_string(tensor.begin) + " of the data, expected " + std::to_string(at));
    }
    at = tensor.end;
  }
  if (at != data_bytes) {
    json.fail("the header describes " + std::to_string(at) + " bytes of data, the file holds " +
              std::to_string(data_bytes) + (data_bytes < at ? ": it was cut off" : ""));
  }
}

/// What a file that is no safetensors file probably is.
std::string guess(const char* head) {
  if (std::memcmp(head, "PK\x03\x04", 4) == 0 || (head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)) {
    return "; this is a pickle of Python, which is never loaded: docs/checkpoints.md has the conversion";
  }
  if (std::memcmp(head, "version ", 8) == 0) return "; this is a pointer of Git LFS: fetch the file itself";
  if (head[0] == '<') return "; this is a web page";
  return "";
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, const std::string& source) {
  JsonReader json(text, source);
  SafetensorsHeader header;
  json.object([&](const std::string& name) {
    if (name == "__metadata__") {
      json.object([&](const std::string&) { json.string(); });
    } else {
      header.tensors.push_back(parse_tensor(json, name));
    }
  });
  json.end();
  check_cover(json, header.tensors, data_bytes);
  return header;
}

SafetensorsHeader read_safetensors_header(const MappedFile& file) {
  const auto corrupt = [&](const std::string& reason) {
    return Error("ERR_CHECKPOINT_CORRUPT", file.path() + ": " + reason);
  };
  if (file.size() < kLengthBytes) {
    throw corrupt(std::to_string(file.size()) + " bytes are too few for a safetensors file");
  }
  char head[kLengthBytes];
  file.read(0, kLengthBytes, head);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(head[i])) << (8 * i);
  }
  if (length > kMaxHeaderBytes || length > file.size() - kLengthBytes) {
    throw corrupt("the header is said to have " + std::to_string(length) + " bytes, the file has " +
                  std::to_string(file.size()) + " and a header 100,000,000 at most" + guess(head));
  }
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read(kLengthBytes, text.size(), text.data());
  const std::uint64_t begin = kLengthBytes + length;
  SafetensorsHeader header = parse_safetensors_header(text, file.size() - begin, file.path());
  header.data_begin = begin;
  return header;
}

}  // namespace wam::vla
