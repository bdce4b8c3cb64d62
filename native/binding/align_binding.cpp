#include "binding/align_binding.h"

#include <cmath>
#include <limits>

#include "align/aligner.h"
#include "align/teacher.h"
#include "binding/config_reader.h"
#include "binding/fields.h"
#include "binding/function.h"
#include "binding/sim_scorer.h"
#include "binding/tensors.h"
#include "binding/training.h"
#include "binding/training_binding.h"

namespace wam::binding {
namespace {

constexpr int kMaxThreads = 1024, kMaxCount = 1 << 20;
constexpr std::int64_t kMaxUpdates = 1'000'000'000, kMaxSeed = (std::int64_t{1} << 53) - 1;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// Rows of statistics, as lib/train/align-rows.ts reads them.
constexpr int kGroupColumns = 12, kProbeColumns = kGroupColumns + 3, kColumns = 10 + kGroupColumns + kProbeColumns;

double* write_group(const align::GroupFigures& g, double* out) {
  for (const double sum : {g.reward, g.best, g.spread, g.uneven, g.collision, g.drivable, g.ttc, g.progress, g.comfort,
                           g.held_back, g.diversity}) {
    *out++ = g.mean(sum);
  }
  *out++ = g.ade_scenes > 0 ? g.ade / g.ade_scenes : kUnknown;
  return out;
}

double* write_probe(const align::Probe& probe, double* out) {
  out = write_group(probe.group, out);
  *out++ = probe.kl;
  *out++ = probe.median.mean(probe.median.reward);
  *out++ = probe.median.ade_scenes > 0 ? probe.median.ade / probe.median.ade_scenes : kUnknown;
  return out;
}

class AlignUpdates : public Updates {
 public:
  explicit AlignUpdates(std::unique_ptr<align::Aligner> aligner) : aligner_(std::move(aligner)) {}
  int columns() const override { return kColumns; }
  void step(double* row) override {
    const align::AlignStats s = aligner_->step();
    stopped_ = s.stop != align::StopRule::none;
    for (const double value : {static_cast<double>(s.step), s.loss, s.grad_norm, s.lr, s.kl, s.clipped, s.rollout_s,
                               s.judge_s, s.update_s, static_cast<double>(s.stop)}) {
      *row++ = value;
    }
    row = write_group(s.group, row);
    if (s.probed) {
      write_probe(s.probe, row);
    } else {
      std::fill_n(row, kProbeColumns, kUnknown);
    }
  }
  bool stopped() const override { return stopped_; }
  std::int64_t steps_done() const override { return aligner_->steps_done(); }
  std::vector<double> start() const override {
    std::vector<double> row(kProbeColumns);
    write_probe(aligner_->start(), row.data());
    return row;
  }
  std::vector<model::NamedTensor> tensors() const override { return aligner_->ema_tensors(); }
  std::vector<model::NamedTensor> state() const override { return aligner_->state(); }
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps) override {
    aligner_->restore(state, steps);
  }

 private:
  std::unique_ptr<align::Aligner> aligner_;
  bool stopped_ = false;
};

/// A supervised trainer whose checkpoints hold the teacher as well.
class DistillUpdates : public Updates {
 public:
  DistillUpdates(std::unique_ptr<model::Trainer> trainer, std::vector<model::NamedTensor> teacher)
      : trainer_(std::move(trainer)), teacher_(std::move(teacher)) {
    for (model::NamedTensor& tensor : teacher_) tensor.name.insert(0, "teacher.");
  }
  int columns() const override { return kTrainColumns; }
  void step(double* row) override { write_step(trainer_->step(), row); }
  std::int64_t steps_done() const override { return trainer_->steps_done(); }
  std::vector<model::NamedTensor> tensors() const override { return trainer_->ema_tensors(); }
  std::vector<model::NamedTensor> state() const override {
    std::vector<model::NamedTensor> out = trainer_->state();
    out.insert(out.end(), teacher_.begin(), teacher_.end());
    return out;
  }
  void restore(const std::vector<model::NamedTensor>& state, std::int64_t steps) override {
    trainer_->restore(state, steps);
  }

 private:
  std::unique_ptr<model::Trainer> trainer_;
  std::vector<model::NamedTensor> teacher_;
};

StepRule read_rule(const Fields& fields) {
  return fields.choice<StepRule>(
      "rule", {{"released", StepRule::released}, {"integrated", StepRule::integrated}, {"renoise", StepRule::renoise}});
}

align::AlignConfig read_align_config(const Fields& fields) {
  using align::AdvantageKind, align::Estimator;
  align::AlignConfig c;
  c.steps = fields.integer64("steps", 1, kMaxUpdates);
  c.batch = fields.integer("batch", 1, kMaxCount);
  c.micro_batches = fields.integer("microBatches", 1, kMaxCount);
  c.group = fields.integer("group", 1, kMaxCount);
  c.rollout_steps.clear();
  for (const double n : fields.numbers("rolloutSteps")) {
    if (!(n == std::floor(n) && n >= 1 && n <= 64)) {
      throw Error("ERR_CONFIG", "align.rolloutSteps: expected 1 to 64 steps");
    }
    c.rollout_steps.push_back(static_cast<int>(n));
  }
  c.rule = read_rule(fields);
  c.temperature = fields.number("temperature");
  c.estimator = fields.choice<Estimator>(
      "estimator", {{"chain", Estimator::chain}, {"last", Estimator::last}, {"one_shot", Estimator::one_shot}});
  c.zero_share = fields.number("zeroShare");
  c.advantage = fields.choice<AdvantageKind>("advantage", {{"mean", AdvantageKind::mean},
                                                           {"standardised", AdvantageKind::standardised},
                                                           {"leave_one_out", AdvantageKind::leave_one_out}});
  c.clip_ratio = fields.number("clipRatio");
  c.kl_beta = fields.number("klBeta");
  c.exact_kl = fields.boolean("exactKl");
  c.skip_even = fields.boolean("skipEven");
  c.inner_epochs = fields.integer("innerEpochs", 1, kMaxCount);
  c.lr = fields.number("lr");
  c.beta1 = fields.number("beta1");
  c.beta2 = fields.number("beta2");
  c.eps = fields.number("eps");
  c.weight_decay = fields.number("weightDecay");
  c.clip = fields.number("clip");
  c.warmup = fields.integer64("warmup", 0, kMaxUpdates);
  c.ema = fields.number("ema");
  c.probe_every = fields.integer64("probeEvery", 1, kMaxUpdates);
  c.max_kl = fields.number("maxKl");
  c.min_diversity = fields.number("minDiversity");
  c.max_ade_drift = fields.number("maxAdeDrift");
  c.seed = static_cast<std::uint64_t>(fields.integer64("seed", 0, kMaxSeed));
  c.validate();
  return c;
}

align::PdmWeights read_weights(const Fields& fields) {
  align::PdmWeights weights;
  weights.ttc = fields.number("ttc");
  weights.progress = fields.number("progress");
  weights.lane = fields.number("lane");
  weights.comfort = fields.number("comfort");
  align::pdm_reward({}, weights);  // refuses bad weights
  return weights;
}

/// Takes the scorers over: [{ window, scorer, heldBack? }].
std::vector<align::ScoredScene> read_scenes(napi_env env, const Napi::Array& list, const std::string& path) {
  std::vector<align::ScoredScene> scenes(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Fields fields(list.Get(i), path + "[" + std::to_string(i) + "]");
    scenes[i].window = fields.integer("window", 0, std::numeric_limits<int>::max());
    scenes[i].scorer = from_handle<SimScorer>(env, fields.get("scorer"))->take();
    if (!fields.get("heldBack").IsUndefined()) {
      scenes[i].held_back = from_handle<SimScorer>(env, fields.get("heldBack"))->take();
    }
  }
  return scenes;
}

/// createAligner(model, align, dataset, threads, reference, { scenes, probes, weights }, device?)
Napi::Value create_aligner(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const model::ModelConfig config = read_model_config(info[0]);
  const align::AlignConfig align = read_align_config(Fields(info[1], "align"));
  const auto data = from_handle<DatasetHandle>(env, info[2]);
  const auto threads = static_cast<int>(integer_value(info[3], "threads", 1, kMaxThreads));
  const auto reference = std::make_shared<std::vector<model::NamedTensor>>(read_tensors(info[4]));
  const Fields judges(info[5], "judges");
  const align::PdmWeights weights = read_weights(judges.object("weights"));
  const auto reward = std::make_shared<align::PdmReward>(read_scenes(env, judges.array("scenes"), "judges.scenes"),
                                                         weights, config.interval_s);
  const auto probe = std::make_shared<align::PdmReward>(read_scenes(env, judges.array("probes"), "judges.probes"),
                                                        weights, config.interval_s);
  const model::BackendFactory make_backend = backend_factory(info[6]);
  const auto training = std::make_shared<Training>(Environment::shared(env), data);
  return {env, training->start(env, [=]() -> std::unique_ptr<Updates> {
            return std::make_unique<AlignUpdates>(std::make_unique<align::Aligner>(
                config, align, data->data, reward, probe->scenes() > 0 ? probe : nullptr, *reference, make_backend,
                threads));
          })};
}

/// createDistiller(model, train, dataset, threads, teacher, { steps, samples, target, temperature, rule }, device?)
Napi::Value create_distiller(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const model::ModelConfig config = read_model_config(info[0]);
  const model::TrainConfig train = read_train_config(info[1]);
  const auto data = from_handle<DatasetHandle>(env, info[2]);
  const auto threads = static_cast<int>(integer_value(info[3], "threads", 1, kMaxThreads));
  const auto weights = std::make_shared<std::vector<model::NamedTensor>>(read_tensors(info[4]));
  const Fields fields(info[5], "teacher");
  align::TeacherConfig teacher;
  teacher.steps = fields.integer("steps", 1, kMaxCount);
  teacher.samples = fields.integer("samples", 1, kMaxCount);
  teacher.target = fields.choice<align::TeacherTarget>(
      "target", {{"sample", align::TeacherTarget::sample}, {"medoid", align::TeacherTarget::medoid}});
  teacher.temperature = fields.number("temperature");
  teacher.rule = read_rule(fields);
  teacher.seed = train.seed;
  const model::BackendFactory make_backend = backend_factory(info[6]);
  const auto training = std::make_shared<Training>(Environment::shared(env), data);
  return {env, training->start(env, [=]() -> std::unique_ptr<Updates> {
            std::vector<float> table;
            for (const model::NamedTensor& tensor : *weights) {
              if (tensor.name == "numeric.table") table = tensor.data;
            }
            return std::make_unique<DistillUpdates>(
                std::make_unique<model::Trainer>(config, train, data->data, make_backend, threads, table,
                                                 align::make_teacher(config, *weights, teacher)),
                *weights);
          })};
}

/// alignerStart(trainer): the probe of the reference weights.
Napi::Value aligner_start(const Napi::CallbackInfo& info) {
  const std::vector<double> row = from_handle<Training>(info.Env(), info[0])->at_rest().start();
  auto out = Napi::Float64Array::New(info.Env(), row.size());
  std::copy(row.begin(), row.end(), out.Data());
  return out;
}

}  // namespace

void register_align(Napi::Object exports) {
  define<&create_aligner>(exports, "createAligner");
  define<&create_distiller>(exports, "createDistiller");
  define<&aligner_start>(exports, "alignerStart");
}

}  // namespace wam::binding
