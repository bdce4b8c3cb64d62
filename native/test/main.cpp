// Runs the registered tests one after the other: those whose name contains the first argument, or, with `--shard I/N`,
// every Nth from the Ith (from 0), so that N processes share them.
#include <chrono>
#include <cstring>
#include <exception>
#include <vector>

#include "core/thread_pool.h"
#include "test/test.h"

namespace wam::test {
namespace {

struct Entry {
  const char* name;
  Body body;
};
// Function-local, so that registration from other files finds it constructed.
std::vector<Entry>& entries() {
  static std::vector<Entry> list;
  return list;
}
std::vector<std::string>& contexts() {
  static std::vector<std::string> list;
  return list;
}

struct Skipped {
  std::string reason;
};

const char* running = "";
long passed = 0, failed = 0;
constexpr long kShownFailures = 20;  // of one test
constexpr double kSlow = 5;          // seconds from which a test is named with its time

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

long shown = 0;

}  // namespace

Registration::Registration(const char* name, const char*, Body body) { entries().push_back({name, body}); }

Context::Context(const std::string& text) { contexts().push_back(text); }
Context::~Context() { contexts().pop_back(); }

void skip(const std::string& reason) { throw Skipped{reason}; }

void report(bool ok, const char* file, int line, const std::string& text) {
  ++(ok ? passed : failed);
  if (ok || ++shown > kShownFailures) return;
  std::string where;
  for (const std::string& context : contexts()) where += " [" + context + "]";
  std::printf("%s:%d: %s%s: %s\n", file, line, running, where.c_str(), text.c_str());
}

void check_same_bytes(const void* actual, const void* expected, std::size_t n, std::size_t size, const char* text,
                      const char* file, int line) {
  const char *a = static_cast<const char*>(actual), *e = static_cast<const char*>(expected);
  std::size_t different = 0, first = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::memcmp(a + i * size, e + i * size, size) != 0 && different++ == 0) first = i;
  }
  report(different == 0, file, line,
         std::string(text) + ": " + std::to_string(different) + " of " + std::to_string(n) +
             " values differ in bits, the first at " + std::to_string(first));
}

}  // namespace wam::test

int main(int argc, char** argv) {
  using namespace wam::test;
  const wam::FlushDenormals flush;
  const bool sharded = argc > 2 && std::strcmp(argv[1], "--shard") == 0;
  std::size_t shard = 0, shards = 1;
  if (sharded && std::sscanf(argv[2], "%zu/%zu", &shard, &shards) != 2) shards = 0;
  if (shards == 0 || shard >= shards) {
    std::printf("--shard: expected I/N with I below N, received %s\n", argv[2]);
    return 1;
  }
  const char* filter = argc > 1 && !sharded ? argv[1] : "";
  const auto start = std::chrono::steady_clock::now();
  int tests = 0, failing = 0, skipped = 0;
  for (std::size_t i = shard; i < entries().size(); i += shards) {
    const Entry& entry = entries()[i];
    if (std::strstr(entry.name, filter) == nullptr) continue;
    running = entry.name, shown = 0, ++tests;
    const long failed_before = failed;
    const auto test_start = std::chrono::steady_clock::now();
    try {
      entry.body();
    } catch (const Skipped& skip) {
      ++skipped;
      std::printf("skipped %s: %s\n", entry.name, skip.reason.c_str());
    } catch (const std::exception& error) {
      report(false, "", 0, std::string("unexpected exception: ") + error.what());
    }
    failing += failed > failed_before;
    if (const double taken = seconds_since(test_start); taken >= kSlow)
      std::printf("%s took %.1f s\n", entry.name, taken);
    if (shown > kShownFailures) std::printf("%s: %ld more failures\n", entry.name, shown - kShownFailures);
  }
  const double seconds = seconds_since(start);
  if (tests == 0) {
    std::printf("no test is named like '%s'\n", filter);
    return 1;
  }
  std::printf("%ld of %ld checks hold, %.1f s\n", passed, passed + failed, seconds);
  std::printf("%d passed, %d failed", tests - failing - skipped, failing);
  if (skipped > 0) std::printf(", %d skipped", skipped);
  std::printf("\n");
  return failed == 0 ? 0 : 1;
}
