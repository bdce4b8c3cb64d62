// Times the CPU engine on fixed workloads (bench/README.md), a JSON line each:
//   wam_flow_cpu_bench [--threads 2] [--round 0] [--only W1c,W3] [--quick] [--isa avx512|avx2|portable]
//                      [--precision fp32|bf16|int8] [--reference]
//   wam_flow_cpu_bench --limits [--threads 2]      what the machine could do at best

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "bench/cpu/cases.h"
#include "bench/cpu/limits.h"

namespace wam::bench {

namespace {

cpu::Isa isa_of(const std::string& name) {
  for (const cpu::Isa isa : {cpu::Isa::portable, cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (name == cpu::isa_name(isa)) return isa;
  }
  throw std::invalid_argument("--isa: expected avx512, avx2 or portable, received " + name);
}

cpu::Precision precision_of(const std::string& name) {
  for (const cpu::Precision precision : {cpu::Precision::fp32, cpu::Precision::bf16, cpu::Precision::int8}) {
    if (name == precision_name(precision)) return precision;
  }
  throw std::invalid_argument("--precision: expected fp32, bf16 or int8, received " + name);
}

int whole_number(const std::string& option, const std::string& text, int least) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < least || value > 1024) {
    throw std::invalid_argument(option + ": expected a whole number from " + std::to_string(least) +
                                " to 1024, received " + text);
  }
  return static_cast<int>(value);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] {
      if (++i >= argc) throw std::invalid_argument(option + ": a value is missing");
      return std::string(argv[i]);
    };
    if (option == "--threads") {
      options.threads = whole_number(option, value(), 1);
    } else if (option == "--round") {
      options.round = whole_number(option, value(), 0);
    } else if (option == "--only") {
      options.only = value();
    } else if (option == "--quick") {
      options.quick = true;
    } else if (option == "--limits") {
      options.limits = true;
    } else if (option == "--reference") {
      options.reference = true;
    } else if (option == "--precision") {
      options.precision = precision_of(value());
    } else if (option == "--isa") {
      options.isa = isa_of(value());
    } else {
      throw std::invalid_argument("unknown option " + option);
    }
  }
  return options;
}

void run(const Options& options) {
  // As the engine's threads do; the workers of a pool do so themselves.
  const FlushDenormals flush;
  if (options.limits) return print_limits(options);
  ThreadPool pool(options.threads);
  const auto backend = cpu::make_cpu_backend(&pool, options.isa, options.precision);
  const Harness harness(options);
  if (options.reference) {
    Options any = options;
    any.only.clear();
    reference_cases(Harness(any));
  }
  planner_cases(harness, *backend, pool);
  gemm_cases(harness, *backend);
  // What follows has no packed weights.
  if (options.precision != cpu::Precision::fp32) return;
  attention_cases(harness, *backend);
  path_cases(harness, *backend);
  token_cases(harness, *backend);
  training_cases(harness, pool);
}

}  // namespace

}  // namespace wam::bench

int main(int argc, char** argv) {
  try {
    wam::bench::run(wam::bench::parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wam_flow_cpu_bench: %s\n", error.what());
    return 1;
  }
}
