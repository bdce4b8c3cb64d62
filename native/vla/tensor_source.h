#pragma once
// Weights as a model asks for them: by name, with dtype and shape, where they lie. What opens files is behind this
// (safetensors.h); a model, a packer or a test that makes its weights up sees nothing else.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wam::vla {

/// Element types of stored tensors.
enum class DType { f32, bf16, f16, i64, u8, boolean };

/// Bytes of one element.
constexpr std::size_t item_size(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    case DType::i64:
      return 8;
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

/// The name of a dtype in a safetensors header: "F32", "BF16", "F16", "I64", "U8", "BOOL".
const char* dtype_name(DType dtype);

/// One stored tensor, row-major, little-endian. `data` lives as long as its source and may have any alignment.
struct TensorView {
  DType dtype;
  std::vector<std::int64_t> shape;  // no dimension is negative; a scalar has none
  const std::byte* data;

  std::int64_t size() const {  // elements
    std::int64_t count = 1;
    for (const std::int64_t dimension : shape) count *= dimension;
    return count;
  }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * item_size(dtype); }
};

/// Tensors by name. Const methods may be called from several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// Null when there is no such tensor; otherwise valid as long as the source.
  virtual const TensorView* find(std::string_view name) const = 0;
  /// Sorted.
  virtual std::vector<std::string> names() const = 0;
  /// A hint that elements [begin, begin + count) of the tensor are not needed for now: a mapped file gives their pages back
  /// to the system, and reads them again if they are asked for after all. Data is never invalid because of it. A range
  /// that the tensor does not have, or an unknown name, is ignored.
  virtual void release(std::string_view name, std::int64_t begin, std::int64_t count) const {
    static_cast<void>(name), static_cast<void>(begin), static_cast<void>(count);
  }
};

/// out[0..count) = elements [begin, begin + count) of a float tensor as float32. F32 and BF16 are exact to the bit (NaN
/// payloads too), F16 is exact and keeps NaN a NaN. Any alignment of the data.
/// Throws Error: ERR_RANGE when the range does not lie in the tensor, ERR_CHECKPOINT_CORRUPT for a tensor of integers.
void read_f32(const TensorView& tensor, std::int64_t begin, std::int64_t count, float* out);

/// Opens the safetensors weights of a checkpoint directory: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` lists. Everything that headers and index say is checked before a source is returned;
/// no data is read. `directory` is UTF-8.
/// Throws Error: ERR_CHECKPOINT_NOT_FOUND, ERR_CHECKPOINT_CORRUPT, ERR_IO.
std::unique_ptr<TensorSource> open_checkpoint(const std::string& directory);

}  // namespace wam::vla
