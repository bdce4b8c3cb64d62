// What the harness executes, against plain code: geometry, collectives, tensor cores, asynchronous copies, atomics.

#include <algorithm>

#include "simt/runtime.h"
#include "test/gpu/gpu_support.h"
#include "test/gpu/planted/harness_kernels.h"

using namespace wam;
using namespace wam::simt;
using wam::test::check_no_reports;

namespace {

/// Device memory with the values in it, and back.
template <class T>
class Memory {
 public:
  explicit Memory(const std::vector<T>& values) : count_(values.size()) {
    CHECK_EQ(cudaMalloc(&data_, count_ * sizeof(T)), cudaSuccess);
    CHECK_EQ(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { cudaFree(data_); }
  T* data() { return data_; }
  std::vector<T> get() {
    std::vector<T> values(count_);
    CHECK_EQ(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  std::size_t count_;
  T* data_ = nullptr;
};

template <class Params>
void run(const char* name, void (*kernel)(Params), dim3 grid, dim3 block, std::size_t shared,
         const std::type_identity_t<Params>& params) {
  CHECK_EQ(launch_kernel(nullptr, name, kernel, grid, block, shared, params), cudaSuccess);
}

std::vector<std::uint64_t> lane_values() {
  std::vector<std::uint64_t> values(32);
  for (std::size_t i = 0; i < 32; ++i) values[i] = 0x9E3779B97F4A7C15ull * (i + 1);
  return values;
}

}  // namespace

TEST(harness_gives_every_thread_its_indices) {
  test::each_schedule([] {
    const dim3 grid(3, 2, 2), block(4, 8, 2);
    Memory<std::int32_t> out(std::vector<std::int32_t>(6 * 12 * 64, -1));
    run("geometry", geometry, grid, block, 0, {out.data()});
    const std::vector<std::int32_t> got = out.get();
    std::size_t at = 0;
    int wrong = 0;
    for (int bz = 0; bz < 2; ++bz)
      for (int by = 0; by < 2; ++by)
        for (int bx = 0; bx < 3; ++bx)
          for (int tz = 0; tz < 2; ++tz)
            for (int ty = 0; ty < 8; ++ty)
              for (int tx = 0; tx < 4; ++tx)
                for (const int expected : {tx, ty, tz, bx, by, bz}) wrong += got[at++] != expected;
    CHECK_EQ(wrong, 0);
  });
}

TEST(harness_shuffles_and_matches) {
  const std::vector<std::uint64_t> value = lane_values();
  std::vector<std::uint64_t> expected;
  for (int lane = 0; lane < 32; ++lane) {
    const auto of = [&](int l) { return value[static_cast<std::size_t>(l)]; };
    for (const int width : {32, 16, 8}) {
      const int base = lane / width * width, end = base + width;
      expected.push_back(of(base + (5 * lane + 3) % width));
      expected.push_back(of(lane - 3 >= base ? lane - 3 : lane));
      expected.push_back(of(lane + 5 < end ? lane + 5 : lane));
      expected.push_back(of((lane ^ 9) >= base && (lane ^ 9) < end ? lane ^ 9 : lane));
    }
    expected.push_back(of(7));
    expected.push_back(static_cast<std::uint32_t>(of(lane ^ 1)));
    expected.push_back(static_cast<std::uint64_t>(static_cast<std::int32_t>(of(lane == 0 ? 0 : lane - 1))));
    expected.push_back(static_cast<std::uint32_t>(of(lane == 31 ? 31 : lane + 1)));
    expected.push_back(of(lane < 16 ? lane ^ 15 : lane ^ 8));
    std::uint64_t votes = 0, same_5 = 0, same_3 = 0;
    for (int l = 0; l < 32; ++l) {
      if (l / 16 == lane / 16 && l % (lane < 16 ? 3 : 5) == 0) votes |= 1ull << l;
      if (of(l) % 5 == of(lane) % 5) same_5 |= 1ull << l;
      same_3 += of(l) % 3 == of(lane) % 3;
    }
    expected.push_back(votes);
    expected.push_back(same_5);
    expected.push_back(same_3);
  }
  CHECK_EQ(expected.size(), 32u * kShuffleResults);
  test::each_schedule([&] {
    Memory<std::uint64_t> in(value), out(std::vector<std::uint64_t>(expected.size()));
    run("shuffles", shuffles, 1, 32, 0, {in.data(), out.data()});
    CHECK_SAME_BITS(out.get().data(), expected.data(), expected.size());
  });
}

TEST(harness_votes) {
  std::vector<std::int32_t> predicate(96);
  for (std::size_t i = 0; i < 96; ++i) predicate[i] = i < 32 ? 1 : i < 64 ? static_cast<int>(i % 7 == 0) * 4 : 0;
  std::uint32_t count = 0;
  for (const std::int32_t p : predicate) count += p != 0;
  test::each_schedule([&] {
    Memory<std::int32_t> in(predicate);
    Memory<std::uint32_t> out(std::vector<std::uint32_t>(96 * 8));
    run("votes", votes, 1, 96, 0, {in.data(), out.data()});
    const std::vector<std::uint32_t> got = out.get();
    for (std::size_t i = 0; i < 96; ++i) {
      std::uint32_t ballot = 0;
      for (std::size_t l = 0; l < 32; ++l) ballot |= static_cast<std::uint32_t>(predicate[i / 32 * 32 + l] != 0) << l;
      const std::uint32_t expected[8] = {ballot, ballot != 0, ballot == 0xffffffffu, count, 1, 0, 96 - count, 1};
      CHECK_SAME_BITS(&got[8 * i], expected, 8);
    }
  });
}

namespace {

template <class T>
void check_product(void (*kernel)(ProductParams)) {
  const std::vector<float> a = test::normal_values(256, 1), b = test::normal_values(128, 2),
                           c = test::normal_values(128, 3);
  std::vector<std::uint16_t> a16(256), b16(128);
  for (std::size_t i = 0; i < 256; ++i) a16[i] = from_float<T>(a[i]).bits;
  for (std::size_t i = 0; i < 128; ++i) b16[i] = from_float<T>(b[i]).bits;
  test::same_under_each_schedule([&] {
    Memory<std::uint16_t> da(a16), db(b16);
    Memory<float> dc(c);
    run("product", kernel, 1, 32, 1024, {da.data(), db.data(), dc.data()});
    std::vector<float> got = dc.get();
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        double sum = static_cast<double>(c[8 * i + j]);
        for (std::size_t k = 0; k < 16; ++k) {
          sum += test::round_to<T>(static_cast<double>(a[16 * i + k])) *
                 test::round_to<T>(static_cast<double>(b[8 * k + j]));
        }
        CHECK_NEAR(got[8 * i + j], sum, 1e-5);
      }
    }
    return got;
  });
}

}  // namespace

TEST(harness_multiplies_as_tensor_cores_do) {
  check_product<bf16>(product_bf16);
  check_product<f16>(product_f16);
}

TEST(harness_loads_fragments) {
  std::vector<std::uint16_t> rows(256);
  for (std::size_t i = 0; i < 256; ++i) rows[i] = static_cast<std::uint16_t>(i * 259);
  const auto element = [&](int matrix, int row, int column) {
    return static_cast<std::uint32_t>(rows[static_cast<std::size_t>((8 * matrix + row) * 8 + column)]);
  };
  std::vector<std::uint32_t> expected;
  for (int lane = 0; lane < 32; ++lane) {
    for (const int matrices : {4, 2}) {
      for (const bool transposed : {false, true}) {
        for (int m = 0; m < matrices; ++m) {
          const int row = lane / 4, column = lane % 4 * 2;
          expected.push_back(transposed ? element(m, column, row) | element(m, column + 1, row) << 16
                                        : element(m, row, column) | element(m, row, column + 1) << 16);
        }
      }
    }
  }
  test::each_schedule([&] {
    Memory<std::uint16_t> in(rows);
    Memory<std::uint32_t> out(std::vector<std::uint32_t>(32 * 12));
    run("load_fragments", load_fragments, 1, 32, 1024, {in.data(), out.data()});
    CHECK_SAME_BITS(out.get().data(), expected.data(), expected.size());
  });
}

TEST(harness_copies_late_or_early) {
  const std::vector<float> from = test::normal_values(256, 4);
  for (const bool lazy : {true, false}) {
    HarnessOptions options;
    options.lazy_copies = lazy;
    options.check = false;  // the kernel looks at bytes in flight
    const ScopedOptions scope(options);
    const test::Context at(lazy ? "late" : "early");
    Memory<float> in(from), out(std::vector<float>(32 * 24));
    run("asynchronous_copies", asynchronous_copies, 1, 32, 1024, {in.data(), out.data(), 20});
    const std::vector<float> got = out.get();
    int wrong = 0;
    for (std::size_t lane = 0; lane < 32; ++lane) {
      for (std::size_t stage = 0; stage < 3; ++stage) {
        for (std::size_t i = 0; i < 8; ++i) {
          const std::size_t copied_at = !lazy ? 0 : i < 4 ? 1 : 2;
          const float value = lane < 20 ? from[8 * lane + i] : 0;
          wrong += got[24 * lane + 8 * stage + i] != (stage >= copied_at ? value : -1.0f);
        }
      }
    }
    CHECK_EQ(wrong, 0);
    check_no_reports();
  }
}

TEST(harness_atomics) {
  constexpr int kThreads = 3 * 64;
  test::each_schedule([] {
    Memory<float> f({0});
    Memory<double> d({0});
    Memory<std::int32_t> i({0, 0, 0, 0, -1, -1});
    Memory<unsigned long long> u({0, ~0ull, 0});
    Memory<std::uint32_t> taken(std::vector<std::uint32_t>(kThreads, 0u)), counter({0}), swapped({0});
    run("atomics", atomics, 3, 64, 0,
        {f.data(), d.data(), i.data(), u.data(), taken.data(), counter.data(), swapped.data()});
    constexpr int kSum = kThreads * (kThreads - 1) / 2;
    CHECK_EQ(f.get()[0], static_cast<float>(kSum));
    CHECK_EQ(d.get()[0], kSum * 0.5);
    const std::vector<std::int32_t> got = i.get();
    const std::int32_t expected[] = {kSum, -(kThreads - 1), 3 * (kThreads - 1), 0x7fffffff, -0x7fffffff - 1};
    CHECK_SAME_BITS(got.data(), expected, 5);
    CHECK(got[5] >= 0 && got[5] < kThreads);
    const std::vector<unsigned long long> wide = u.get();
    CHECK_EQ(wide[0], static_cast<unsigned long long>(kSum) << 33);
    CHECK_EQ(wide[1], 0ull);
    CHECK_EQ(wide[2], static_cast<unsigned long long>(kThreads - 1) << 33);
    std::vector<std::uint32_t> numbers = taken.get();
    std::sort(numbers.begin(), numbers.end());
    for (std::uint32_t k = 0; k < kThreads; ++k) CHECK_EQ(numbers[k], k);
    CHECK_EQ(swapped.get()[0], static_cast<std::uint32_t>(kThreads));
  });
}

TEST(harness_16_bit_conversions_round_to_nearest_even) {
  // Every value there and back, and what lies between neighbours, at it and beside it.
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const auto h = static_cast<std::uint16_t>(bits);
    const float as_f16 = to_float(f16{h}), as_bf16 = to_float(bf16{h});
    if (as_f16 == as_f16) wrong += from_float<f16>(as_f16).bits != h;
    if (as_bf16 == as_bf16) wrong += from_float<bf16>(as_bf16).bits != h;
    for (const std::uint32_t tail : {0u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
      const float x = std::bit_cast<float>(bits << 16 | tail);
      // The test program flushes float's own denormals, which is not what is looked at here.
      if (!(std::abs(x) >= 0x1p-126f) || std::isinf(x)) continue;
      wrong += to_float(from_float<f16>(x)) != static_cast<float>(test::round_to<f16>(static_cast<double>(x)));
      wrong += to_float(from_float<bf16>(x)) != static_cast<float>(test::round_to<bf16>(static_cast<double>(x)));
    }
  }
  CHECK_EQ(wrong, 0);
  CHECK(std::isnan(to_float(from_float<f16>(NAN))));
  CHECK(std::isnan(to_float(from_float<bf16>(NAN))));
  CHECK_EQ((pack2<bf16>(1.0f, -2.0f)), 0xc0003f80u);
  CHECK_EQ(unpack2<f16>(pack2<f16>(0.25f, 3.0f)).y, 3.0f);
}

TEST(harness_integer_builtins) {
  CHECK_EQ(__brev(0x80000001u), 0x80000001u);
  CHECK_EQ(__brev(0x00000006u), 0x60000000u);
  CHECK_EQ(__ffs(0), 0);
  CHECK_EQ(__ffs(8), 4);
  CHECK_EQ(__clz(1), 31);
  CHECK_EQ(__clz(0), 32);
  CHECK_EQ(__popcll(0xf0f0ull), 8);
  CHECK_EQ(__umulhi(0xffffffffu, 0xffffffffu), 0xfffffffeu);
  CHECK_EQ(__mulhi(-1, 2), -1);
  CHECK_EQ(__umul64hi(~0ull, ~0ull), ~0ull - 1);
  CHECK_EQ(simt::min(1.0f, NAN), 1.0f);
  CHECK_EQ(simt::max(NAN, 2), 2.0f);
  CHECK_EQ(simt::min(-1, 1), -1);
}
