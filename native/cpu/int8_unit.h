#pragma once
// The units that sum int8 products. Sums are exact integers, so all units give the same bits.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/real.h"
#include "cpu/cpu_backend.h"

namespace wam::cpu {

/// words: products of 16-bit pairs (vpmaddwd), which every processor has. vnni: vpdpbusd, of AVX-512 VNNI or AVX-VNNI.
/// amx: tiles.
enum class Int8Unit { words, vnni, amx };

/// Longest k whose sums of products of +-127 fit 32 bits, and whose sums of +-127 are whole numbers in fp32.
constexpr int kInt8MaxDepth = 1 << 17;
/// Activation rows and panels are padded with zeros to a multiple of this many values of k.
constexpr int kInt8Block = 64;
constexpr int kInt8Strip = 32;

/// One unit's kernels and the layouts that it reads. A panel is [k / group][columns][group] bytes, each a weight +
/// `offset`; activations are rows of int8, or int16 when `wide`.
struct Int8Kernel {
  Int8Unit unit;
  int group, offset;
  bool wide;
  /// How many rows a call of `product` takes when there are `rows` in all, at most kInt8Strip.
  int (*strip_rows)(int rows);
  /// Prepares the thread for strips of `strip` rows, the last of which may have fewer; `end` undoes it.
  void (*begin)(int strip);
  void (*end)();
  /// sum[rows][panel] = a times the weights with their offset, over `depth` values of k; lda in activations. May read
  /// kInt8Strip - 1 rows beyond the last.
  void (*product)(int depth, const void* a, std::ptrdiff_t lda, int rows, int strip, const std::uint8_t* panel,
                  std::int32_t* sum);
};

/// Units that this build has for `isa` and that the processor and the operating system let run, best first.
std::vector<Int8Unit> int8_units(Isa isa);

/// For tests and measurements: make_cpu_backend takes the first of int8_units.
std::unique_ptr<Backend> make_int8_backend(ThreadPool* pool, Isa isa, Int8Unit unit);

}  // namespace wam::cpu
