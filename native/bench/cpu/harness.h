#pragma once
// Runs one workload after the other and prints a JSON line for each, in the form and by the protocol of all programs that
// are compared with each other.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/cpu/buffer.h"
#include "core/real.h"
#include "cpu/cpu_backend.h"

namespace wam::bench {

const char* precision_name(cpu::Precision precision);

struct Options {
  int threads = 1;
  int round = 0;
  std::string only;  // prefixes of workloads, separated by commas; empty: all
  bool quick = false;
  bool reference = false;  // the reference loops before the workloads
  bool limits = false;     // the limits of the machine and nothing else
  cpu::Isa isa = cpu::best_isa();
  cpu::Precision precision = cpu::Precision::fp32;  // of packed weights
};

/// What tells whether outputs agree, as JSON: [sum, sum of magnitudes, first, middle, last].
template <class T>
std::string checksum(const T* values, std::size_t count);
template <class T>
std::string checksum(const Buffer<T>& values) {
  return checksum(values.data(), values.size());
}
/// {"name": value, ...} of values that are JSON already.
std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields);

class Harness {
 public:
  explicit Harness(Options options);

  const Options& options() const { return options_; }
  /// Whether `workload`, or any whose name begins with it, is to be run.
  bool wanted(const std::string& workload) const;
  /// Repeats `work` and prints its line; `check` says afterwards, as JSON, what came out. `kind` follows our name.
  void run(const std::string& workload, double gflop, const std::function<void()>& work,
           const std::function<std::string()>& check, const std::string& kind = "") const;

 private:
  Options options_;
  std::string name_;
};

}  // namespace wam::bench
