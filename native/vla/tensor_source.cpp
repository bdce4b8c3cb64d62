#include "vla/tensor_source.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace wam::vla {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

/// The bits of a half-precision number as those of a float: exact, subnormal numbers, infinities and the payload of NaN
/// included. No arithmetic on subnormal floats, so that it does not matter whether the thread flushes them.
std::uint32_t widen_half(std::uint32_t half) {
  const std::uint32_t magnitude = (half & 0x7fffu) << 13;
  const std::uint32_t normal = magnitude + (112u << 23);   // the exponent's bias is 15 there, 127 here
  const std::uint32_t special = magnitude + (224u << 23);  // infinity and NaN
  const float implicit = std::bit_cast<float>(magnitude + (113u << 23)) - std::bit_cast<float>(113u << 23);
  const std::uint32_t bits = magnitude >= (31u << 23) ? special
                             : magnitude < (1u << 23) ? std::bit_cast<std::uint32_t>(implicit)
                                                      : normal;
  return bits | (half & 0x8000u) << 16;
}

/// out[i] = widen(16 bits at data + 2 i).
template <class Widen>
void widen_all(const std::byte* data, std::int64_t count, float* out, Widen widen) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint16_t half;
    std::memcpy(&half, data + 2 * i, 2);
    const std::uint32_t bits = widen(half);
    std::memcpy(out + i, &bits, 4);
  }
}

}  // namespace

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::f16:
      return "F16";
    case DType::i64:
      return "I64";
    case DType::u8:
      return "U8";
    case DType::boolean:
      return "BOOL";
  }
  return "";
}

void read_f32(const TensorView& tensor, std::int64_t begin, std::int64_t count, float* out) {
  const std::int64_t size = tensor.size();
  if (begin < 0 || count < 0 || begin > size || count > size - begin) {
    throw Error("ERR_RANGE", "elements " + std::to_string(begin) + " and " + std::to_string(count) +
                                 " following: the tensor has " + std::to_string(size));
  }
  if (count == 0) return;
  const std::byte* data = tensor.data + static_cast<std::size_t>(begin) * item_size(tensor.dtype);
  switch (tensor.dtype) {
    case DType::f32:
      std::memcpy(out, data, static_cast<std::size_t>(count) * sizeof(float));
      return;
    case DType::bf16:
      return widen_all(data, count, out, [](std::uint32_t half) { return half << 16; });
    case DType::f16:
      return widen_all(data, count, out, widen_half);
    default:
      throw Error("ERR_CHECKPOINT_CORRUPT",
                  std::string("expected floating point values, received ") + dtype_name(tensor.dtype));
  }
}

}  // namespace wam::vla
