#include "bench/cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "bench/cpu/loops.h"

namespace wam::bench {

namespace {

#if defined(__clang__)
constexpr const char* kCompiler = __VERSION__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "g++ " __VERSION__;
#else
constexpr const char* kCompiler = "unknown compiler";
#endif
constexpr int kRepetitions = 9;

std::string quoted(const char* text) { return '"' + std::string(text) + '"'; }

volatile float sink;

struct Rate {
  double median, best;
};

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Rate of(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  return {rates[rates.size() / 2], rates.back()};
}

/// Units a second of all threads together, of which `body(thread)` does `units`.
template <class F>
Rate rate(int threads, double units, F&& body) {
  std::vector<double> rates;
  for (int i = 0; i <= kRepetitions; ++i) {
    std::atomic<int> waiting{threads};
    std::vector<double> took(static_cast<std::size_t>(threads));
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t) {
      team.emplace_back([&, t] {
        waiting.fetch_sub(1);
        while (waiting.load() > 0) {
        }
        const double began = seconds();
        body(t);
        took[static_cast<std::size_t>(t)] = seconds() - began;
      });
    }
    for (std::thread& thread : team) thread.join();
    // The first repetition brings clock and caches up.
    if (i > 0) rates.push_back(threads * units / *std::max_element(took.begin(), took.end()));
  }
  return of(std::move(rates));
}

void print(const std::string& name, int threads, const Rate& rate, const char* unit) {
  std::printf("{\"limit\":\"%s\",\"threads\":%d,\"median\":%.1f,\"best\":%.1f,\"unit\":\"%s\"}\n", name.c_str(),
              threads, rate.median, rate.best, unit);
  std::fflush(stdout);
}

void print_arithmetic(const ArithmeticLoop& loop, int threads) {
  if (loop.name == nullptr) return;
  const auto rounds = static_cast<std::int64_t>(2e9 / loop.operations);
  print(loop.name, threads,
        rate(threads, static_cast<double>(rounds) * loop.operations / 1e9, [&](int) { loop.run(rounds); }), "GFLOP/s");
}

struct FreeAligned {
  void operator()(float* p) const { std::free(p); }
};

/// `bytes` of ones, aligned to pages.
std::unique_ptr<float, FreeAligned> ones(std::size_t bytes) {
  std::unique_ptr<float, FreeAligned> values(static_cast<float*>(std::aligned_alloc(4096, bytes)));
  if (values == nullptr) throw std::bad_alloc();
  std::fill_n(values.get(), bytes / sizeof(float), 1.0f);
  return values;
}

constexpr struct {
  const char* name;
  std::size_t bytes;  // a thread
  int passes;
} kReads[] = {
    {"read L1", std::size_t{24} << 10, 20000},       {"read L2", std::size_t{1} << 20, 400},
    {"read L2 or L3", std::size_t{1536} << 10, 200}, {"read L3", std::size_t{24} << 20, 8},
    {"read DRAM", std::size_t{384} << 20, 1},
};

void print_reads(const Options& options, int threads) {
  std::vector<std::unique_ptr<float, FreeAligned>> buffers;
  for (int t = 0; t < threads; ++t) buffers.push_back(ones(std::end(kReads)[-1].bytes));
  for (const auto& [name, bytes, passes] : kReads) {
    const double gigabytes = static_cast<double>(bytes) * passes / 1e9;
    print(std::string(name) + " (" + std::to_string(bytes >> 10) + " KiB)", threads,
          rate(threads, gigabytes,
               [&, size = bytes, times = passes](int t) {
                 float sum = 0;
                 for (int i = 0; i < times; ++i) {
                   sum += read_all(options.isa, buffers[static_cast<std::size_t>(t)].get(), size / sizeof(float));
                 }
                 sink = sum;
               }),
          "GB/s");
  }
}

/// Nanoseconds from one spinning thread to another and back.
void print_hand_off() {
  constexpr int kTrips = 20000;
  std::atomic<int> turn{0};
  std::thread other([&] {
    for (int i = 0; i < kTrips; ++i) {
      while (turn.load(std::memory_order_acquire) != 2 * i + 1) {
      }
      turn.store(2 * i + 2, std::memory_order_release);
    }
  });
  std::vector<double> trips;
  for (int i = 0; i < kTrips; ++i) {
    const double began = seconds();
    turn.store(2 * i + 1, std::memory_order_release);
    while (turn.load(std::memory_order_acquire) != 2 * i + 2) {
    }
    trips.push_back((seconds() - began) * 1e9);
  }
  other.join();
  std::sort(trips.begin(), trips.end());
  print("spin hand-off round trip", 2, {trips[trips.size() / 2], trips.front()}, "ns");
}

}  // namespace

void print_limits(const Options& options) {
  std::printf("{\"program\":\"wam_flow_cpu_bench\",\"compiler\":%s,\"isa\":%s}\n", quoted(kCompiler).c_str(),
              quoted(cpu::isa_name(options.isa)).c_str());
  std::vector<int> teams = {1};
  if (options.threads > 1) teams.push_back(options.threads);
  for (const int threads : teams) {
    print_arithmetic(fp32_loop(options.isa), threads);
    print_arithmetic(int8_loop(options.isa), threads);
    print_reads(options, threads);
  }
  if (options.threads > 1) print_hand_off();
}

void reference_cases(const Harness& harness) {
  constexpr std::int64_t kRounds = 400'000;
  constexpr std::size_t kSweepBytes = std::size_t{64} << 20;
  const cpu::Isa isa = harness.options().isa;
  const ArithmeticLoop loop = fp32_loop(isa);
  harness.run(
      "reference.arithmetic", static_cast<double>(kRounds) * loop.operations / 1e9, [&] { loop.run(kRounds); },
      [] { return "null"; });
  const auto values = ones(kSweepBytes);
  constexpr std::size_t kCount = kSweepBytes / sizeof(float);
  harness.run(
      "reference.sweep", kCount / 1e9, [&] { sink = read_all(isa, values.get(), kCount); }, [] { return "null"; });
}

}  // namespace wam::bench
