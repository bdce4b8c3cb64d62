#include "align/teacher.h"

#include <algorithm>

#include "align/rollouts.h"
#include "core/error.h"
#include "model/reduce.h"
#include "model/trajectory_tokens.h"

namespace wam::align {

using namespace model;

namespace {

class Teacher : public TargetSource {
 public:
  Teacher(std::shared_ptr<const Model> model, const TeacherConfig& teacher, Backend& backend)
      : model_(std::move(model)),
        config_(model_->config()),
        teacher_(teacher),
        network_(config_),
        tokens_(config_),
        arena_(make_arena(backend, [this](Arena& a) { reserve(a); })),
        rollouts_(config_, network_, backend, metric(backend), 1, teacher.samples, teacher.steps) {}

  void draw(std::uint32_t step, std::uint32_t sample, const scene::Features& seen, std::int32_t* tokens) override {
    const Philox4 r = RandomStream(teacher_.seed).at(step, 0, sample, RandomUse::align_plan);
    const std::uint64_t seed = r.word[0] | static_cast<std::uint64_t>(r.word[1]) << 32;
    const scene::Features* scene = &seen;
    rollouts_.run(policy_, {&scene, 1}, {&seed, 1}, {teacher_.steps, teacher_.temperature, teacher_.rule});
    const int slots = config_.slots();
    const std::int32_t* plans = rollouts_.drawn(teacher_.steps - 1);
    std::copy_n(plans + static_cast<std::ptrdiff_t>(chosen(plans, seen.speed)) * slots, slots, tokens);
  }

 private:
  void reserve(Arena& a) {
    block_ = a.take<real>(static_cast<std::size_t>(network_.layout.size()));
    coordinate_ = a.take<real>(static_cast<std::size_t>(config_.vocab));
    policy_.tables = NumericTables::take(config_, a);
  }

  TokenMetric metric(Backend& backend) {
    backend.upload(block_, model_->data(), static_cast<std::size_t>(network_.layout.size()) * sizeof(real));
    const std::vector<real> coordinates = tokens_.coordinates();
    backend.upload(coordinate_, coordinates.data(), coordinates.size() * sizeof(real));
    make_numeric_tables(config_, network_, backend, block_, policy_.tables);
    policy_.block = block_;
    return token_metric(config_, network_, block_, coordinate_);
  }

  int chosen(const std::int32_t* plans, double speed) {
    if (teacher_.target == TeacherTarget::sample || teacher_.samples == 1) return 0;
    const auto slots = static_cast<std::size_t>(config_.slots());
    poses_.resize(static_cast<std::size_t>(teacher_.samples) * slots), medoid_.resize(slots);
    for (int k = 0; k < teacher_.samples; ++k) {
      tokens_.decode(plans + k * slots, speed, 0, &poses_[static_cast<std::size_t>(k) * slots]);
    }
    reduce_samples(Reduce::medoid, teacher_.samples, config_.waypoints, poses_.data(), medoid_.data());
    int k = 0;
    while (!std::equal(medoid_.begin(), medoid_.end(), poses_.begin() + static_cast<std::ptrdiff_t>(k * slots))) ++k;
    return k;
  }

  std::shared_ptr<const Model> model_;
  const ModelConfig& config_;
  TeacherConfig teacher_;
  Network network_;
  TrajectoryTokens tokens_;
  real *block_ = nullptr, *coordinate_ = nullptr;
  Policy policy_;
  Arena arena_;
  Rollouts rollouts_;
  std::vector<float> poses_, medoid_;
};

}  // namespace

TargetFactory make_teacher(ModelConfig model, const std::vector<NamedTensor>& weights, TeacherConfig config) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error("ERR_CONFIG", what);
  };
  require(config.steps >= 1 && config.steps <= 64, "teacherSteps: expected 1 to 64");
  require(config.samples >= 1 && config.samples <= 64, "teacherSamples: expected 1 to 64");
  require(config.temperature >= 1e-3 && config.temperature <= 1e3, "teacherTemperature: expected 0.001 to 1000");
  const auto shared = std::make_shared<const Model>(std::move(model), weights);
  return [shared, config](Backend& backend) -> std::unique_ptr<TargetSource> {
    return std::make_unique<Teacher>(shared, config, backend);
  };
}

}  // namespace wam::align
