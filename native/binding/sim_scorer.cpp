#include "binding/sim_scorer.h"

#include <algorithm>
#include <utility>

#include "binding/sim_packing.h"
#include "core/error.h"

namespace wam::binding {
namespace {

constexpr std::size_t kQueueLimit = 1024;
// Trajectories between two looks at the stop flag, for each thread: a few milliseconds.
constexpr int kChunk = 64;
constexpr std::size_t kRolloutSize = sim::kStates * sim::kStateSize;

}  // namespace

class SimScorer::ScoreJob : public Job {
 public:
  ScoreJob(std::shared_ptr<Environment> environment, std::shared_ptr<SimScorer> scorer, std::unique_ptr<ScoreWork> work)
      : Job(std::move(environment), scorer), scorer_(std::move(scorer)), work_(std::move(work)) {}

  void run() override {
    ScoreWork& work = *work_;
    const auto n = static_cast<std::size_t>(work.n);
    work.rows.resize(n * kScoreColumns);
    if (work.wants_rollouts) work.rollouts.resize(n * kRolloutSize);
    const std::size_t size = work.count > 0 ? static_cast<std::size_t>(work.count) * 3 : kRolloutSize;
    const int chunk = kChunk * scorer_->threads();
    // Results do not depend on the company that a trajectory is in.
    for (int first = 0; first < work.n && !stop.load(); first += chunk) {
      const auto i = static_cast<std::size_t>(first);
      auto* rollouts = reinterpret_cast<sim::State*>(work.wants_rollouts ? &work.rollouts[i * kRolloutSize] : nullptr);
      scorer_->compute(&work.input[i * size], std::min(chunk, work.n - first), work.count, work.interval,
                       &work.rows[i * kScoreColumns], rollouts);
    }
  }

  napi_value result(napi_env env) override {
    napi_value value = nullptr;
    if (stop.load()) {
      napi_get_undefined(env, &value);
      return value;
    }
    void* data;
    const std::size_t numbers = work_->rows.size() + work_->rollouts.size();
    if (napi_create_arraybuffer(env, numbers * sizeof(double), &data, &value) != napi_ok) return nullptr;
    std::copy(work_->rollouts.begin(), work_->rollouts.end(),
              std::copy(work_->rows.begin(), work_->rows.end(), static_cast<double*>(data)));
    return value;
  }

 private:
  std::shared_ptr<SimScorer> scorer_;
  std::unique_ptr<ScoreWork> work_;
};

SimScorer::SimScorer(std::shared_ptr<Environment> environment, sim::Scene scene, sim::Version version,
                     sim::Traffic traffic, int threads)
    : environment_(std::move(environment)), threads_(threads) {
  const FlushDenormals flush;  // as the threads do, so that it does not matter which one works
  scorer_ = std::make_unique<sim::Scorer>(std::move(scene), version, traffic, threads);
}

const sim::Scorer& SimScorer::open() const {
  if (closed_) throw Error("ERR_CLOSED", "the scorer was closed");
  return *scorer_;
}

std::unique_ptr<sim::Scorer> SimScorer::take() {
  open();
  if (thread_) throw Error("ERR_ARGUMENT", "the scorer has worked on a thread of its own");
  closed_ = true;
  return std::move(scorer_);
}

void SimScorer::compute(const double* input, int n, int count, double interval, double* rows, sim::State* rollouts) {
  const auto size = static_cast<std::size_t>(n);
  if (scores_.size() < size) scores_.resize(size);
  if (count > 0) {
    scorer_->score(input, n, count, interval, scores_.data(), rollouts);
  } else {
    scorer_->score_rollouts(reinterpret_cast<const sim::State*>(input), n, scores_.data());
  }
  for (std::size_t i = 0; i < size; ++i) {
    write_score_row(*scorer_, scores_[i], std::span<double, kScoreColumns>(rows + i * kScoreColumns, kScoreColumns));
  }
}

napi_value SimScorer::score(napi_env env, std::unique_ptr<ScoreWork> work, double job) {
  open();
  if (!thread_) thread_.emplace(environment_, kQueueLimit);
  auto task = std::make_unique<ScoreJob>(environment_, shared_from_this(), std::move(work));
  task->id = job;
  return thread_->submit(env, std::move(task));
}

void SimScorer::score_here(const double* input, int n, int count, double interval, double* rows, sim::State* rollouts) {
  open();
  const auto work = [&] { compute(input, n, count, interval, rows, rollouts); };
  if (thread_) {
    thread_->run_here(work);
  } else {
    const FlushDenormals flush;
    work();
  }
}

void SimScorer::abort(napi_env env, double job) {
  if (thread_) thread_->abort(env, job);
}

napi_value SimScorer::close(napi_env env) {
  closed_ = true;
  if (thread_) {
    return thread_->close(env, shared_from_this(), [this] { scorer_.reset(); });
  }
  scorer_.reset();
  napi_value promise, undefined;
  napi_deferred deferred;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok || napi_get_undefined(env, &undefined) != napi_ok) {
    throw Error("ERR_INTERNAL", "napi_create_promise failed");
  }
  napi_resolve_deferred(env, deferred, undefined);
  return promise;
}

}  // namespace wam::binding
