// W5: the tokenizer. Nearest token of each query, and the triplet loss with its gradients.

#include <numeric>

#include "bench/cpu/cases.h"
#include "bench/cpu/inputs.h"

namespace wam::bench {

namespace {

constexpr int kQueries = 4096, kVocab = 20001, kDim = 64;
constexpr int kTriplets = 8192;
constexpr double kMargin = 1;

void nearest_case(const Harness& harness, Backend& backend) {
  if (!harness.wanted("W5.nearest")) return;
  const std::vector<real> table = token_circle(kVocab, kDim);
  std::vector<real> query = signed_values("W5.noise", std::int64_t{kQueries} * kDim, 0.03);
  const std::vector<std::int32_t> source = integer_values("W5.src", kQueries, kVocab);
  for (std::size_t i = 0; i < query.size(); ++i) {
    query[i] += table[static_cast<std::size_t>(source[i / kDim]) * kDim + i % kDim];
  }
  const Buffer<real> e(backend, table), q(backend, query);
  const Buffer<std::int32_t> token(backend, std::size_t{kQueries});
  const auto packed = backend.pack_table(kVocab, kDim, table.data(), false);
  harness.run(
      "W5.nearest", 2e-9 * kQueries * kVocab * kDim,
      [&] {
        backend.nearest_token(kQueries, kVocab, kDim, q.data(), e.data(), false, token.data(), nullptr, packed.get());
      },
      [&] { return checksum(token); });
}

void triplet_case(const Harness& harness, Backend& backend) {
  if (!harness.wanted("W5.triplet")) return;
  constexpr std::size_t kElements = std::size_t{kTriplets} * kDim;
  // Anchors, positives and negatives are the three parts of one table.
  std::vector<real> rows;
  for (const char* name : {"W5.a", "W5.p", "W5.n"}) {
    const std::vector<real> part = signed_values(name, static_cast<std::int64_t>(kElements), 1);
    rows.insert(rows.end(), part.begin(), part.end());
  }
  std::vector<std::int32_t> ids(3 * std::size_t{kTriplets});
  std::iota(ids.begin(), ids.end(), 0);
  const Buffer<real> table(backend, rows), gradient(backend, rows.size()),
      margin(backend, std::vector<real>(kTriplets, static_cast<real>(kMargin)));
  const Buffer<std::int32_t> id(backend, ids);
  double loss = 0;
  harness.run(
      "W5.triplet", 20e-9 * static_cast<double>(kElements),
      [&] {
        loss = backend.triplet_margin(kTriplets, 3 * kTriplets, kDim, table.data(), id.data(), id.data() + kTriplets,
                                      id.data() + 2 * kTriplets, margin.data(), false, gradient.data(), 1, false);
      },
      [&] {
        return json_object({{"loss", checksum(&loss, 1)},
                            {"ga", checksum(gradient.data(), kElements)},
                            {"gp", checksum(gradient.data() + kElements, kElements)},
                            {"gn", checksum(gradient.data() + 2 * kElements, kElements)}});
      });
}

}  // namespace

void token_cases(const Harness& harness, Backend& backend) {
  nearest_case(harness, backend);
  triplet_case(harness, backend);
}

}  // namespace wam::bench
