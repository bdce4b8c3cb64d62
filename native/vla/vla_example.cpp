#include "vla/vla_example.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace wam::vla {
namespace {

[[noreturn]] void refuse(const char* code, const std::string& text) { throw Error(code, "example: expected " + text); }

}  // namespace

void check_example(const VlaExample& e, const VlaConfig& config, const ExampleLimits& limits) {
  const std::size_t n = e.x_t.size();
  if (n < 1 || n > static_cast<std::size_t>(limits.rows))
    refuse("ERR_RANGE", "1 to " + std::to_string(limits.rows) + " tokens, received " + std::to_string(n));
  if (e.x_1.size() != n || e.image.size() != n || e.counted.size() != n)
    refuse("ERR_SHAPE", std::to_string(n) + " targets and marks, as there are tokens");
  if (!e.weights.empty() && e.weights.size() != n)
    refuse("ERR_SHAPE", std::to_string(n) + " weights, received " + std::to_string(e.weights.size()));
  for (const real w : e.weights) {
    if (!std::isfinite(w)) refuse("ERR_NOT_FINITE", "finite weights");
  }
  if (e.images < 0 || e.images > limits.images)
    refuse("ERR_RANGE", "at most " + std::to_string(limits.images) + " images, received " + std::to_string(e.images));
  if (e.pixels.size() != static_cast<std::size_t>(e.images) * static_cast<std::size_t>(config.vision.pixels()))
    refuse("ERR_SHAPE", "pixels of " + std::to_string(e.images) + " images");
  const auto marked = std::count_if(e.image.begin(), e.image.end(), [](std::uint8_t m) { return m != 0; });
  if (marked != static_cast<std::ptrdiff_t>(e.images) * config.vision.tokens())
    refuse("ERR_SHAPE",
           std::to_string(e.images * config.vision.tokens()) + " image rows, received " + std::to_string(marked));
  if (e.prefix_rows < (e.mask == Mask::prefix ? 1 : 0) || e.prefix_rows > static_cast<int>(n))
    refuse("ERR_RANGE", "prefix rows within the sequence, received " + std::to_string(e.prefix_rows));
  const int vocab = config.language.vocab;
  const Policy& policy = e.policy;
  const std::size_t drawn = policy.chosen.size(), each = static_cast<std::size_t>(e.counted_rows());
  if (policy.states.size() != drawn || policy.advantage.size() != drawn || policy.log_probability.size() != drawn ||
      (drawn > 0 && (each == 0 || drawn % each != 0)))
    refuse("ERR_SHAPE", "states, tokens, advantages and log-probabilities of " + std::to_string(each) +
                            " counted rows each, received " + std::to_string(drawn));
  if (drawn > 0 && (!e.times.empty() || !e.weights.empty()))
    refuse("ERR_ARGUMENT", "no noise and no weights where chains are given");
  if (!(policy.clip > 0) || !(policy.temperature > 0)) refuse("ERR_RANGE", "clip and temperature above 0");
  const bool copied = !e.times.empty() || drawn > 0;
  const bool ranged = e.range.count() != 0;
  if (ranged && (e.range.begin < 0 || e.range.end > vocab || e.range.count() < 1))
    refuse("ERR_RANGE", "a range within 0 to " + std::to_string(vocab) + ", received " + std::to_string(e.range.begin) +
                            " to " + std::to_string(e.range.end));
  const TokenRange range = ranged ? e.range : TokenRange{0, vocab};
  if (e.copies() > limits.copies || (e.mask != Mask::prefix && e.copies() > 1))
    refuse("ERR_RANGE", std::to_string(e.mask == Mask::prefix ? limits.copies : 1) + " times at most, received " +
                            std::to_string(e.copies()));
  for (const double t : e.times) {
    if (!(t >= 0 && t < 1)) refuse("ERR_RANGE", "times of [0, 1), received " + std::to_string(t));
  }
  // In 64 bits: a long sequence may have many copies.
  const std::int64_t rows = e.prefix() + std::int64_t{e.copies()} * (e.tokens() - e.prefix());
  if (rows > limits.rows)
    refuse("ERR_RANGE",
           "at most " + std::to_string(limits.rows) + " rows with all copies, received " + std::to_string(rows));
  const auto known = [](std::int32_t id, TokenRange tokens) { return id >= tokens.begin && id < tokens.end; };
  for (std::size_t i = 0; i < drawn; ++i) {
    if (!known(policy.states[i], {0, vocab}) || !known(policy.chosen[i], range))
      refuse("ERR_RANGE", "states and tokens of the vocabulary and the range, received " +
                              std::to_string(policy.states[i]) + " and " + std::to_string(policy.chosen[i]));
    if (!std::isfinite(policy.advantage[i]) || !std::isfinite(policy.log_probability[i]))
      refuse("ERR_NOT_FINITE", "finite advantages and log-probabilities");
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (e.image[i] == 0 && !known(e.x_t[i], {0, vocab}))
      refuse("ERR_RANGE", "a token, received " + std::to_string(e.x_t[i]));
    if (e.image[i] != 0 && (static_cast<int>(i) >= e.prefix() || (e.counted[i] != 0 && copied)))
      refuse("ERR_SHAPE", "images before the rows that are copied, and no noise in them");
    if (e.counted[i] != 0 && drawn == 0 && !known(e.x_1[i], range))
      refuse("ERR_RANGE", "a target of " + std::to_string(range.begin) + " to " + std::to_string(range.end - 1) +
                              ", received " + std::to_string(e.x_1[i]));
    if (e.counted[i] != 0 && copied && static_cast<int>(i) < e.prefix_rows && e.mask == Mask::prefix)
      refuse("ERR_RANGE", "counted rows behind the prefix where rows are copied, received row " + std::to_string(i));
  }
}

}  // namespace wam::vla
