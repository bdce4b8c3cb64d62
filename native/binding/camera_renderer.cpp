#include "binding/camera_renderer.h"

#include <cstring>
#include <utility>

#include "core/error.h"

namespace wam::binding {
namespace {

constexpr std::size_t kQueueLimit = 256;

}  // namespace

void CameraWork::lay_out() {
  const auto up_to_8 = [](std::size_t bytes) { return (bytes + 7) / 8 * 8; };
  const std::size_t pixels = frames.size() * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  depth_at = up_to_8(3 * pixels);
  ids_at = depth_at + up_to_8(wants_depth ? pixels * sizeof(float) : 0);
  sights_at = ids_at + up_to_8(wants_ids ? pixels * sizeof(std::int32_t) : 0);
  out.resize(sights_at + (wants_sights ? bodies.size() * sizeof(camera::Sight) : 0));
}

class CameraRenderer::RenderJob : public Job {
 public:
  RenderJob(std::shared_ptr<Environment> environment, std::shared_ptr<CameraRenderer> camera,
            std::unique_ptr<CameraWork> work)
      : Job(std::move(environment), camera), camera_(std::move(camera)), work_(std::move(work)) {}

  void run() override {
    CameraWork& work = *work_;
    work.lay_out();
    const std::size_t pixels = static_cast<std::size_t>(work.width) * static_cast<std::size_t>(work.height);
    std::uint8_t* out = work.out.data();
    auto* sights = reinterpret_cast<camera::Sight*>(out + work.sights_at);
    camera_->pool_.run(static_cast<int>(work.frames.size()), [&](int task, int worker) {
      if (stop.load(std::memory_order_relaxed)) return;
      const auto i = static_cast<std::size_t>(task);
      const camera::FrameInput& frame = work.frames[i];
      camera::FrameOutput to;
      to.rgb = out + 3 * pixels * i;
      if (work.wants_depth) to.depth = reinterpret_cast<float*>(out + work.depth_at) + pixels * i;
      if (work.wants_ids) to.ids = reinterpret_cast<std::int32_t*>(out + work.ids_at) + pixels * i;
      if (work.wants_sights) to.sights = sights + (frame.bodies.data() - work.bodies.data());
      camera_->renderers_[static_cast<std::size_t>(worker)].render(frame, to);
    });
  }

  napi_value result(napi_env env) override {
    napi_value value = nullptr;
    if (stop.load()) {
      napi_get_undefined(env, &value);
      return value;
    }
    void* data;
    if (napi_create_arraybuffer(env, work_->out.size(), &data, &value) != napi_ok) return nullptr;
    if (!work_->out.empty()) std::memcpy(data, work_->out.data(), work_->out.size());
    return value;
  }

  void settled(napi_env) override { camera_->spare_ = std::move(work_); }

 private:
  std::shared_ptr<CameraRenderer> camera_;
  std::unique_ptr<CameraWork> work_;
};

CameraRenderer::CameraRenderer(std::shared_ptr<Environment> environment, int threads)
    : environment_(std::move(environment)),
      // A frame takes milliseconds: nobody needs to spin for the next one.
      pool_(threads, TeamOptions{.spin = false}),
      renderers_(static_cast<std::size_t>(pool_.threads())),
      thread_(environment_, kQueueLimit) {}

std::unique_ptr<CameraWork> CameraRenderer::new_work() {
  std::unique_ptr<CameraWork> work = spare_ ? std::move(spare_) : std::make_unique<CameraWork>();
  work->frames.clear();
  work->bodies.clear();
  work->maps.clear();
  return work;
}

napi_value CameraRenderer::render(napi_env env, std::unique_ptr<CameraWork> work, double job) {
  auto task = std::make_unique<RenderJob>(environment_, shared_from_this(), std::move(work));
  task->id = job;
  return thread_.submit(env, std::move(task));
}

void CameraRenderer::abort(napi_env env, double job) { thread_.abort(env, job); }

napi_value CameraRenderer::close(napi_env env) {
  return thread_.close(env, shared_from_this(), [this] { spare_.reset(); });
}

}  // namespace wam::binding
