#include "vla/vla_sampler.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/error.h"
#include "core/philox.h"
#include "core/staged.h"

namespace wam::vla {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMostStates = 1 << 24;  // that a call gives back

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

[[noreturn]] void refuse(const char* code, const char* name, const std::string& expected, std::int64_t received) {
  throw Error(code, std::string(name) + ": expected " + expected + ", received " + std::to_string(received));
}

void check_uniforms(const std::vector<float>& values, std::size_t count, const char* name) {
  if (values.empty()) return;
  if (values.size() != count)
    refuse("ERR_SHAPE", name, std::to_string(count) + " elements", static_cast<std::int64_t>(values.size()));
  for (const float v : values) {
    if (!(v >= 0 && v < 1)) throw Error("ERR_RANGE", std::string(name) + ": expected uniforms of [0, 1)");
  }
}

}  // namespace

struct VlaSampler::Rows {
  Rows(Backend& backend, int count)
      : arena(make_arena(backend, [this, &backend, n = static_cast<std::size_t>(count)](Arena& a) {
          staged.clear();
          for (Staged<float>* list : {&posterior, &jump, &draw}) list->reserve(staged, n);
          x_t.reserve(staged, n);
          staged.take(a, backend);
          token = a.take<std::int32_t>(n), next = a.take<std::int32_t>(n), log_probability = a.take<real>(n);
        })) {}
  StagedBlock staged;
  Staged<float> posterior, jump, draw;
  Staged<std::int32_t> x_t;
  std::int32_t *token = nullptr, *next = nullptr;
  real* log_probability = nullptr;
  Arena arena;
};

VlaSampler::VlaSampler(std::shared_ptr<const VlaWeights> weights, VlaRunner& runner, Backend& backend)
    : weights_(std::move(weights)),
      runner_(runner),
      backend_(backend),
      rows_(std::make_unique<Rows>(backend, runner.limits().tokens)) {}

VlaSampler::~VlaSampler() = default;

void VlaSampler::prepare(TokenRange range) {
  if (table_ != nullptr && table_->range() == range) return;
  table_.reset();  // before the next one takes its memory
  table_ = std::make_unique<PathTable>(*weights_, backend_, range);
}

void VlaSampler::check(const SampleRequest& r, bool keeps_prefix) const {
  const int sequence = runner_.rows(), first = keeps_prefix ? runner_.prefix_rows() : 0;
  const int vocab = runner_.config().language.vocab;
  if (r.range.begin < 0 || r.range.end > vocab || r.range.count() < 1)
    refuse("ERR_RANGE", "range", "tokens within 0 to " + std::to_string(vocab), r.range.end);
  if (r.positions.empty() || r.positions.size() > static_cast<std::size_t>(sequence))
    refuse("ERR_SHAPE", "positions", "1 to " + std::to_string(sequence), static_cast<std::int64_t>(r.positions.size()));
  for (std::size_t i = 0; i < r.positions.size(); ++i) {
    if (r.positions[i] < (i == 0 ? first : r.positions[i - 1] + 1) || r.positions[i] >= sequence)
      refuse("ERR_RANGE", "positions",
             "ascending rows from " + std::to_string(first) + " to " + std::to_string(sequence - 1), r.positions[i]);
  }
  if (r.steps < 1) refuse("ERR_RANGE", "steps", "at least 1", r.steps);
  if (r.samples < 1) refuse("ERR_RANGE", "samples", "at least 1", r.samples);
  if (std::int64_t{r.samples} * r.steps > kMostStates / static_cast<std::int64_t>(r.positions.size()))
    refuse("ERR_RANGE", "steps", "at most " + std::to_string(kMostStates) + " tokens of all steps together", r.steps);
  if (r.mask_id < -1 || r.mask_id >= vocab)
    refuse("ERR_RANGE", "maskId", "a token below " + std::to_string(vocab) + " or -1", r.mask_id);
  if (r.top_k < 0) refuse("ERR_RANGE", "topK", "0 or more", r.top_k);
  if (!(r.temperature > 0)) throw Error("ERR_RANGE", "temperature: expected a positive number");
  r.schedule.check();
  const std::size_t moving = r.positions.size() * static_cast<std::size_t>(r.samples);
  if (!r.x_0.empty() && r.x_0.size() != moving)
    refuse("ERR_SHAPE", "x0", std::to_string(moving) + " tokens", static_cast<std::int64_t>(r.x_0.size()));
  for (const std::int32_t token : r.x_0) {
    if (token < r.range.begin || token >= r.range.end)
      refuse("ERR_RANGE", "x0",
             "tokens from " + std::to_string(r.range.begin) + " to " + std::to_string(r.range.end - 1), token);
  }
  const std::size_t draws = moving * static_cast<std::size_t>(r.steps);
  check_uniforms(r.posterior, draws, "posterior");
  check_uniforms(r.jump, draws, "jump");
  check_uniforms(r.draw, draws, "draw");
}

void VlaSampler::begin(const SampleRequest& r, SampleOutput& out) {
  const std::size_t n = r.positions.size(), moving = n * static_cast<std::size_t>(r.samples);
  const std::size_t all = moving * static_cast<std::size_t>(r.steps);
  out = {};
  out.states.resize(all), out.x_1.resize(all), out.log_probability.resize(all), out.final.resize(moving);
  states_.resize(moving);
  const RandomStream stream(r.seed);
  for (std::size_t i = 0; i < moving; ++i) {
    const Philox4 random =
        stream.at(0, static_cast<std::uint32_t>(i % n), static_cast<std::uint32_t>(i / n), RandomUse::initial_token);
    const std::uint64_t scaled = std::uint64_t{random.word[0]} * static_cast<std::uint64_t>(r.range.count());
    states_[i] = r.x_0.empty() ? static_cast<std::int32_t>(scaled >> 32) : r.x_0[i] - r.range.begin;
  }
}

void VlaSampler::decode(const SampleRequest& r, int sample, int step, SampleOutput& out) {
  const TokenRange computed = runner_.head_range(r.range);
  const int width = computed.count(), n = static_cast<int>(r.positions.size());
  const RandomStream stream(r.seed);
  const auto row =
      static_cast<std::size_t>(sample) * static_cast<std::size_t>(r.steps) + static_cast<std::size_t>(step);
  const std::size_t begin = row * r.positions.size();
  for (int i = 0; i < n; ++i) {
    const std::size_t at = begin + static_cast<std::size_t>(i);
    const auto word = [&](RandomUse use, int which) {
      return unit_uniform(stream
                              .at(static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(i),
                                  static_cast<std::uint32_t>(sample), use)
                              .word[which]);
    };
    const RandomUse use = r.rule == StepRule::renoise ? RandomUse::renoise : RandomUse::jump;
    const auto k = static_cast<std::size_t>(i);
    rows_->posterior[k] = r.posterior.empty() ? word(RandomUse::posterior_draw, 0) : r.posterior[at];
    rows_->jump[k] = r.jump.empty() ? word(use, 0) : r.jump[at];
    rows_->draw[k] = r.draw.empty() ? word(use, 1) : r.draw[at];
  }
  rows_->staged.push(backend_);
  const int most = runner_.logit_rows(computed);
  for (int first = 0; first < n; first += most) {
    const int count = std::min(most, n - first);
    DecodePosterior d;
    d.rows = count, d.vocab = r.range.count();
    d.logits =
        runner_.logits(std::span(r.positions).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                       computed) +
        (r.range.begin - computed.begin);
    d.ldl = width;
    d.rule = step + 1 == r.steps ? r.last_decode : r.decode, d.temperature = r.temperature, d.top_k = r.top_k;
    d.uniform = rows_->posterior.device() + first;
    d.token = rows_->token + first;
    d.log_probability = rows_->log_probability + first;
    backend_.decode_posterior(d);
  }
  backend_.download(&out.x_1[begin], rows_->token, r.positions.size() * sizeof(std::int32_t));
  std::vector<real> log_probability(r.positions.size());
  backend_.download(log_probability.data(), rows_->log_probability, log_probability.size() * sizeof(real));
  std::copy(log_probability.begin(), log_probability.end(), &out.log_probability[begin]);
}

void VlaSampler::move(const SampleRequest& r, int step, const std::int32_t* x_1, std::int32_t* x_t) {
  const double t = flow::step_time(step, r.steps), next = flow::step_time(step + 1, r.steps);
  const std::size_t n = r.positions.size();
  PathStep s;
  s.rows = static_cast<int>(n);
  s.metric = table_->metric({x_1, n});
  s.rule = r.rule;
  s.beta = static_cast<real>(r.schedule.beta(r.rule == StepRule::renoise ? next : t));
  s.step_weight = static_cast<real>(r.schedule.step_weight(r.rule, t, next - t));
  s.x_t = rows_->x_t.device(), s.x_1 = rows_->token;
  s.jump = rows_->jump.device(), s.draw = rows_->draw.device();
  s.x_next = rows_->next;
  backend_.path_step(s);
  backend_.download(x_t, rows_->next, n * sizeof(std::int32_t));
}

bool VlaSampler::sample(const SampleRequest& r, Mask mask, SampleOutput& out, const model::LayerWatch& watch) {
  const bool keeps = r.keep_prefix && mask != Mask::full && runner_.limits().cache;
  check(r, keeps);
  begin(r, out);
  const std::size_t n = r.positions.size();
  Clock::time_point start = Clock::now();
  if (r.steps > 1) prepare(r.range);
  if (keeps) {
    if (!runner_.keep_prefix(watch)) return false;
    out.prefix_ms = ms_since(start);
  }
  std::vector<std::int32_t> ids(n);
  for (int k = 0; k < r.steps; ++k) {
    start = Clock::now();
    const bool masked = k == 0 && r.mask_id >= 0;  // one pass for all samples: they read the same
    for (int s = 0; s < r.samples; ++s) {
      std::int32_t* x_t = &states_[static_cast<std::size_t>(s) * n];
      const std::size_t at =
          (static_cast<std::size_t>(s) * static_cast<std::size_t>(r.steps) + static_cast<std::size_t>(k)) * n;
      for (std::size_t i = 0; i < n; ++i) {
        rows_->x_t[i] = x_t[i];
        out.states[at + i] = x_t[i] + r.range.begin;
        ids[i] = masked ? r.mask_id : out.states[at + i];
      }
      if (!masked || s == 0) {
        runner_.set_tokens(r.positions, ids);
        if (!(keeps ? runner_.run_rest(watch) : runner_.run(std::max(r.positions.front() - 1, 0), watch))) return false;
      }
      decode(r, s, k, out);
      if (k + 1 < r.steps) move(r, k, &out.x_1[at], x_t);
      for (std::size_t i = 0; i < n; ++i) out.x_1[at + i] += r.range.begin;
      if (k + 1 == r.steps) std::copy_n(&out.x_1[at], n, &out.final[static_cast<std::size_t>(s) * n]);
    }
    out.step_ms.push_back(ms_since(start));
  }
  return true;
}

}  // namespace wam::vla
