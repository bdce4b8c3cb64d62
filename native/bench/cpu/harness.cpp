#include "bench/cpu/harness.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

namespace wam::bench {

namespace {

constexpr double kWarmUpMs = 200, kLeastMs = 1000, kQuickMs = 300, kMostMs = 12000;
constexpr std::size_t kLeastRepetitions = 5, kQuickRepetitions = 3, kMostRepetitions = 400;

/// One repetition. Undisturbed: no thread of the process was taken off its core.
struct Repetition {
  double wall_ms, cpu_ms;
  bool undisturbed;
};

double wall_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

rusage usage() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used;
}

double cpu_ms(const rusage& used) {
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

/// The upper median, as the other programs take it.
double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string number(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::vector<Repetition> repeat(const std::function<void()>& work, bool quick) {
  double began = wall_ms();
  work();
  if (wall_ms() - began < 1000) {
    while (wall_ms() - began < kWarmUpMs) work();
  }
  const double least_ms = quick ? kQuickMs : kLeastMs;
  const std::size_t least = quick ? kQuickRepetitions : kLeastRepetitions;
  std::vector<Repetition> repetitions;
  repetitions.reserve(kMostRepetitions);
  began = wall_ms();
  while (repetitions.size() < kMostRepetitions && (wall_ms() - began < least_ms || repetitions.size() < least)) {
    const rusage before = usage();
    const double start = wall_ms();
    work();
    const double end = wall_ms();
    const rusage after = usage();
    repetitions.push_back({end - start, cpu_ms(after) - cpu_ms(before), after.ru_nivcsw == before.ru_nivcsw});
    if (end - began > kMostMs && repetitions.size() >= 2) break;
  }
  return repetitions;
}

}  // namespace

template <class T>
std::string checksum(const T* values, std::size_t count) {
  double sum = 0, magnitude = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(values[i]);
    sum += value, magnitude += std::abs(value);
  }
  std::string text = "[";
  for (const double value : {sum, magnitude, static_cast<double>(values[0]), static_cast<double>(values[count / 2]),
                             static_cast<double>(values[count - 1])}) {
    if (text.size() > 1) text += ',';
    text += number(value, "%.9g");
  }
  return text + "]";
}

template std::string checksum(const float*, std::size_t);
template std::string checksum(const double*, std::size_t);
template std::string checksum(const std::int32_t*, std::size_t);

std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text = "{";
  for (const auto& [name, value] : fields) {
    if (text.size() > 1) text += ',';
    text += '"' + name + "\":" + value;
  }
  return text + "}";
}

const char* precision_name(cpu::Precision precision) {
  switch (precision) {
    case cpu::Precision::bf16:
      return "bf16";
    case cpu::Precision::int8:
      return "int8";
    default:
      return "fp32";
  }
}

Harness::Harness(Options options)
    : options_(std::move(options)), name_(std::string("wam-flow-") + cpu::isa_name(options_.isa)) {
  if (options_.precision != cpu::Precision::fp32) name_ += std::string("-") + precision_name(options_.precision);
}

bool Harness::wanted(const std::string& workload) const {
  if (options_.only.empty()) return true;
  for (std::size_t at = 0; at <= options_.only.size();) {
    const std::size_t comma = std::min(options_.only.find(',', at), options_.only.size());
    const std::string prefix = options_.only.substr(at, comma - at);
    if (workload.starts_with(prefix) || prefix.starts_with(workload)) return true;
    at = comma + 1;
  }
  return false;
}

void Harness::run(const std::string& workload, double gflop, const std::function<void()>& work,
                  const std::function<std::string()>& check, const std::string& kind) const {
  if (!wanted(workload)) return;
  const std::vector<Repetition> repetitions = repeat(work, options_.quick);
  std::vector<double> wall, cpu, undisturbed;
  for (const Repetition& r : repetitions) {
    wall.push_back(r.wall_ms), cpu.push_back(r.cpu_ms);
    if (r.undisturbed) undisturbed.push_back(r.wall_ms);
  }
  std::sort(wall.begin(), wall.end());
  std::optional<double> clean;
  if (undisturbed.size() >= 3) clean = median(undisturbed);
  // One thread: what it used of its core, whoever else wanted that; more: the wall clock while nobody else did.
  const double ms = options_.threads == 1 ? std::min(median(cpu), median(wall)) : clean.value_or(wall.front());
  const std::size_t p99 = std::min(wall.size() - 1, static_cast<std::size_t>(static_cast<double>(wall.size()) * 0.99));
  const std::string line = json_object({
      {"workload", "\"" + workload + "\""},
      {"peer", "\"" + name_ + kind + "\""},
      {"threads", std::to_string(options_.threads)},
      {"round", std::to_string(options_.round)},
      {"ms", number(ms, "%.4f")},
      {"median_ms", number(median(wall), "%.4f")},
      {"p99_ms", number(wall[p99], "%.4f")},
      {"min_ms", number(wall.front(), "%.4f")},
      {"clean_ms", clean ? number(*clean, "%.4f") : "null"},
      {"cpu_ms", number(median(cpu), "%.4f")},
      {"reps", std::to_string(wall.size())},
      {"gflops", number(gflop / ms * 1e3, "%.2f")},
      {"check", check()},
  });
  std::puts(line.c_str());
  std::fflush(stdout);
}

}  // namespace wam::bench
