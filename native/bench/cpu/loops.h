#pragma once
// Loops that do nothing but one thing.

#include <cstddef>
#include <cstdint>

#include "cpu/cpu_backend.h"

namespace wam::bench {

/// Rounds of multiply-adds on independent registers; `operations` of one round, a multiply-add being two.
struct ArithmeticLoop {
  const char* name = nullptr;  // null: this processor has not got it
  double operations = 0;
  void (*run)(std::int64_t rounds) = nullptr;
};

ArithmeticLoop fp32_loop(cpu::Isa isa);
ArithmeticLoop int8_loop(cpu::Isa isa);

/// Reads `count` floats, a multiple of 128, once; returns something of them.
float read_all(cpu::Isa isa, const float* values, std::size_t count);

}  // namespace wam::bench
