// Steps of the flow and the tokenizer's lookup.
#include "bench/cases.h"

namespace wam::bench {
namespace {

constexpr int kVocab = 20001, kDim = 64;
constexpr double kFloat = sizeof(real);

}  // namespace

void add_flow_cases(DeviceBuffers& buffers, std::vector<Case>& out) {
  Backend& backend = buffers.backend();
  constexpr int kRows = 32;
  std::vector<real> ascending(kVocab);
  for (int i = 0; i < kVocab; ++i)
    ascending[static_cast<std::size_t>(i)] = static_cast<real>(i - kVocab / 2) * real(0.01);
  const real* coordinate = buffers.copy(ascending);
  const real* table = buffers.random(std::size_t{kVocab} * kDim);

  RefineStep step;
  step.rows = step.slots = step.logit_rows = kRows;
  step.vocab = kVocab;
  step.logits = buffers.random(std::size_t{kRows} * kVocab, -5, 5), step.ldl = kVocab;
  step.decode = DecodeRule::sample;
  step.seed = buffers.copy(std::vector<std::uint64_t>{7});
  step.x_1 = buffers.zeros<std::int32_t>(kRows), step.x_t = buffers.random_tokens(kRows, kVocab);
  step.beta = 1, step.step_weight = real(0.5);
  const double logits = double{kRows} * kVocab, embedding = double{kVocab} * kDim;
  for (const bool general : {false, true}) {
    RefineStep s = step;
    s.metric.vocab = kVocab;
    if (general) {
      s.metric.table = table, s.metric.dim = kDim;
    } else {
      s.metric.coordinate = coordinate;
    }
    Case c{"path_update",
           general ? "32 rows, 20,001 tokens, embedding metric of 64" : "32 rows, 20,001 tokens, coordinate"};
    c.flops = 12 * logits + (general ? 2 * logits * kDim : 0);
    c.bytes = kFloat * (logits + (general ? embedding : kVocab));
    c.run = [&backend, s] { backend.refine_step(s); };
    out.push_back(std::move(c));
  }

  constexpr int kQueries = 1024, kTriplets = 4096;
  const real* query = buffers.random(std::size_t{kQueries} * kDim);
  auto* token = buffers.zeros<std::int32_t>(kQueries);
  real* distance = buffers.zeros<real>(kQueries);
  Case nearest{"nearest_token", "1024 queries, 20,001 rows of 64"};
  nearest.flops = 2.0 * kQueries * embedding;
  nearest.bytes = kFloat * (embedding + double{kQueries} * kDim);
  nearest.tensor_cores = true;
  nearest.run = [&backend, query, table, token, distance] {
    backend.nearest_token(kQueries, kVocab, kDim, query, table, false, token, distance);
  };
  out.push_back(std::move(nearest));

  const std::int32_t *anchor = buffers.random_tokens(kTriplets, kVocab),
                     *positive = buffers.random_tokens(kTriplets, kVocab),
                     *negative = buffers.random_tokens(kTriplets, kVocab);
  const real* margin = buffers.random(kTriplets, 0.1, 0.2);
  real* dtable = buffers.zeros<real>(std::size_t{kVocab} * kDim);
  Case triplet{"triplet", "4096 triplets of 64, with gradient (and its way to the host)"};
  triplet.flops = 20.0 * kTriplets * kDim;
  triplet.bytes = kFloat * kTriplets * kDim * 6;
  triplet.recordable = false;
  triplet.run = [=, &backend] {
    (void)backend.triplet_margin(kTriplets, kVocab, kDim, table, anchor, positive, negative, margin, true, dtable);
  };
  out.push_back(std::move(triplet));
}

}  // namespace wam::bench
