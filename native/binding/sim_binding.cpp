#include "binding/sim_binding.h"

#include <array>
#include <cmath>

#include "binding/fields.h"
#include "binding/function.h"
#include "binding/handle.h"
#include "binding/sim_packing.h"
#include "binding/sim_scorer.h"

namespace wam::binding {
namespace {

constexpr int kMaxTrajectories = 1 << 20;
constexpr double kLargest = 1e8;
constexpr std::size_t kRolloutSize = sim::kStates * sim::kStateSize;

struct SimMapHandle {
  static constexpr const char* kHandleName = "map of scenes";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 6};
  explicit SimMapHandle(std::shared_ptr<const sim::WorldMap> object) : map(std::move(object)) {}
  std::shared_ptr<const sim::WorldMap> map;
  Counted<Count::sim_maps> counted;
};

/// createSimMap(map)
Napi::Value create_sim_map(const Napi::CallbackInfo& info) {
  return {info.Env(), make_handle(info.Env(), std::make_shared<SimMapHandle>(read_sim_map(info[0])))};
}

/// createScorer(map, scene, options)
Napi::Value create_scorer(const Napi::CallbackInfo& info) {
  const auto& map = from_handle<SimMapHandle>(info.Env(), info[0])->map;
  sim::Scene scene = read_scene(info[1], map);
  const Fields fields(info[2], "options");
  const auto version = fields.choice<sim::Version>("version", {{"v1", sim::Version::v1}, {"v2", sim::Version::v2}});
  const auto traffic =
      fields.choice<sim::Traffic>("traffic", {{"replay", sim::Traffic::replay}, {"reactive", sim::Traffic::reactive}});
  const int threads = fields.integer("threads", 1, 256);
  return {info.Env(),
          make_handle(info.Env(), std::make_shared<SimScorer>(Environment::shared(info.Env()), std::move(scene),
                                                              version, traffic, threads))};
}

/// What score and scoreSync share: scorer, input, n, count (0: rollouts), interval.
struct ScoreArguments {
  napi_value value[7];
  SimScorer* scorer = nullptr;
  std::span<double> input;
  int n = 0, count = 0;
  double interval = 0;

  ScoreArguments(napi_env env, napi_callback_info info) {
    std::size_t size = std::size(value);
    if (napi_get_cb_info(env, info, &size, value, nullptr, nullptr) != napi_ok) {
      throw Error("ERR_INTERNAL", "napi_get_cb_info failed");
    }
    scorer = from_handle<SimScorer>(env, value[0]).get();
    scorer->open();
    input = typed_array<double>(env, value[1], "input");
    n = static_cast<int>(integer_value({env, value[2]}, "n", 0, kMaxTrajectories));
    count = static_cast<int>(integer_value({env, value[3]}, "count", 0, sim::kMaxPlanPoses));
    interval = number_value({env, value[4]}, "interval");
    const std::size_t size_of_one = count > 0 ? static_cast<std::size_t>(count) * 3 : kRolloutSize;
    if (input.size() != static_cast<std::size_t>(n) * size_of_one) {
      throw Error("ERR_SHAPE", "input: expected " + std::to_string(n) + " times " + std::to_string(size_of_one) +
                                   " numbers, received " + std::to_string(input.size()));
    }
    if (count > 0) return;  // poses are checked by the scorer
    for (const double number : input) {
      if (!(std::abs(number) <= kLargest)) throw Error("ERR_NOT_FINITE", "rollouts: expected finite numbers up to 1e8");
    }
  }
};

/// score(scorer, input, n, count, interval, wantsRollouts, job)
napi_value score(napi_env env, napi_callback_info info) {
  const ScoreArguments arguments(env, info);
  auto work = std::make_unique<ScoreWork>();
  work->input.assign(arguments.input.begin(), arguments.input.end());
  work->n = arguments.n;
  work->count = arguments.count;
  work->interval = arguments.interval;
  if (napi_get_value_bool(env, arguments.value[5], &work->wants_rollouts) != napi_ok) {
    throw Error("ERR_ARGUMENT", "wantsRollouts: expected a boolean");
  }
  if (work->count == 0) work->wants_rollouts = false;
  return arguments.scorer->score(env, std::move(work), number_value({env, arguments.value[6]}, "job"));
}

/// scoreSync(scorer, input, n, count, interval, rows, rollouts?)
napi_value score_sync(napi_env env, napi_callback_info info) {
  const ScoreArguments arguments(env, info);
  const auto n = static_cast<std::size_t>(arguments.n);
  const std::span<double> rows = typed_array<double>(env, arguments.value[5], "rows");
  if (rows.size() < n * kScoreColumns) {
    throw Error("ERR_SHAPE", "rows: expected at least " + std::to_string(n * kScoreColumns) + " numbers");
  }
  sim::State* rollouts = nullptr;
  napi_valuetype type;
  if (napi_typeof(env, arguments.value[6], &type) == napi_ok && type != napi_undefined && arguments.count > 0) {
    const std::span<double> out = typed_array<double>(env, arguments.value[6], "rollouts");
    if (out.size() < n * kRolloutSize) {
      throw Error("ERR_SHAPE", "rollouts: expected at least " + std::to_string(n * kRolloutSize) + " numbers");
    }
    rollouts = reinterpret_cast<sim::State*>(out.data());
  }
  arguments.scorer->score_here(arguments.input.data(), arguments.n, arguments.count, arguments.interval, rows.data(),
                               rollouts);
  return nullptr;
}

/// abortScore(scorer, job)
Napi::Value abort_score(const Napi::CallbackInfo& info) {
  from_handle<SimScorer>(info.Env(), info[0])->abort(info.Env(), number_value(info[1], "job"));
  return info.Env().Undefined();
}

/// closeScorer(scorer)
Napi::Value close_scorer(const Napi::CallbackInfo& info) {
  return {info.Env(), from_handle<SimScorer>(info.Env(), info[0])->close(info.Env())};
}

/// scorerBytes(scorer)
Napi::Value scorer_bytes(const Napi::CallbackInfo& info) {
  const auto bytes = from_handle<SimScorer>(info.Env(), info[0])->open().bytes();
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

Napi::Value integers(Napi::Env env, const std::vector<int>& from) {
  auto to = Napi::Int32Array::New(env, from.size());
  std::copy(from.begin(), from.end(), to.Data());
  return to;
}

Napi::Value numbers(Napi::Env env, const double* from, std::size_t size) {
  auto to = Napi::Float64Array::New(env, size);
  std::copy(from, from + size, to.Data());
  return to;
}

Napi::Value poses(Napi::Env env, std::span<const sim::Pose> from) {
  static_assert(sizeof(sim::Pose) == 3 * sizeof(double));
  return numbers(env, from.empty() ? nullptr : &from[0].x, from.size() * 3);
}

/// A verdict that was not scored against another, as a row.
Napi::Value verdict_row(Napi::Env env, const sim::Scorer& scorer, const sim::Verdict& verdict) {
  sim::TrajectoryScore score;
  const sim::Verdict alone[1] = {verdict};
  double progress[1];
  sim::ego_progress(scorer.version(), alone, progress);
  score.verdict = verdict;
  for (sim::Finding* finding : {&score.verdict.collision_at, &score.verdict.ttc_at}) {
    if (finding->object < 0) continue;
    finding->object = scorer.occupancy().objects()[static_cast<std::size_t>(finding->object)].source;
  }
  score.ego_progress = progress[0];
  score.multiplier = sim::multiplier(scorer.version(), verdict);
  score.score = sim::pdm_score(scorer.version(), verdict, progress[0]);
  score.reference_progress = verdict.progress;
  score.reference_multiplier = score.multiplier;
  double row[kScoreColumns];
  write_score_row(scorer, score, row);
  return numbers(env, row, kScoreColumns);
}

/// scorerReference(scorer)
Napi::Value scorer_reference(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const sim::Scorer& scorer = from_handle<SimScorer>(env, info[0])->open();
  const sim::PdmClosedPlan& plan = scorer.pdm_closed();
  std::vector<int> areas;
  for (std::size_t i = 0; i < scorer.ground().use.size(); ++i) {
    if (scorer.ground().use[i] == 0) continue;
    const sim::Area& area = scorer.ground().map->areas()[i];
    areas.push_back(static_cast<int>(area.layer));
    areas.push_back(area.index);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("routeBlocks", integers(env, scorer.route().blocks));
  result.Set("routeLanes", integers(env, scorer.route().lanes));
  result.Set("lanePath", integers(env, scorer.route().lane_path));
  result.Set("centerline", poses(env, scorer.route().centerline));
  result.Set("speedLimit", Napi::Number::New(env, scorer.route().speed_limit));
  result.Set("areas", integers(env, areas));
  result.Set("scores", numbers(env, plan.scores, sim::kProposals));
  result.Set("rawProgress", numbers(env, plan.raw_progress, sim::kProposals));
  result.Set("best", Napi::Number::New(env, plan.best));
  result.Set("idm", numbers(env, plan.idm[0].data(), 2 * sim::kPlannedStates));
  result.Set("poses", poses(env, plan.poses));
  result.Set("reference", poses(env, plan.reference));
  result.Set("rollout", numbers(env, &plan.rollout[0].x, kRolloutSize));
  result.Set("proposals", poses(env, {&plan.proposals[0][0], std::size_t{sim::kProposals} * sim::kStates}));
  result.Set("row", verdict_row(env, scorer, scorer.reference()));
  if (!scorer.scene().human.empty()) result.Set("humanRow", verdict_row(env, scorer, scorer.human()));
  return result;
}

/// reactiveTracks(scorer, rollout)
Napi::Value reactive_tracks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const sim::Scorer& scorer = from_handle<SimScorer>(env, info[0])->open();
  const std::span<double> values = typed_array<double>(env, info[1], "rollout");
  if (values.size() != kRolloutSize) throw Error("ERR_SHAPE", "rollout: expected 41 rows of 11");
  std::array<sim::State, sim::kStates> rollout;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= kLargest)) throw Error("ERR_NOT_FINITE", "rollout: expected finite numbers up to 1e8");
    (&rollout[i / sim::kStateSize].x)[i % sim::kStateSize] = values[i];
  }
  const std::vector<sim::ReactiveTrack> tracks = scorer.reactive_tracks(rollout);
  Napi::Array result = Napi::Array::New(env, tracks.size());
  for (std::uint32_t i = 0; i < tracks.size(); ++i) {
    const sim::ReactiveTrack& track = tracks[i];
    std::vector<double> rows;
    for (int k = 0; k <= track.last; ++k) {
      const sim::Pose& p = track.pose[k];
      const double vx = k == 0 ? track.vx : track.speed[k] * std::cos(p.heading);
      const double vy = k == 0 ? track.vy : track.speed[k] * std::sin(p.heading);
      for (const double value : {p.x, p.y, p.heading, vx, vy}) rows.push_back(value);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("object", Napi::Number::New(env, track.source));
    object.Set("states", numbers(env, rows.data(), rows.size()));
    result.Set(i, object);
  }
  return result;
}

}  // namespace

void register_sim(Napi::Object exports) {
  define<&create_sim_map>(exports, "createSimMap");
  define<&create_scorer>(exports, "createScorer");
  define_raw<&score>(exports, "score");
  define_raw<&score_sync>(exports, "scoreSync");
  define<&abort_score>(exports, "abortScore");
  define<&close_scorer>(exports, "closeScorer");
  define<&scorer_bytes>(exports, "scorerBytes");
  define<&scorer_reference>(exports, "scorerReference");
  define<&reactive_tracks>(exports, "reactiveTracks");
}

}  // namespace wam::binding
