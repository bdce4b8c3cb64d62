#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "binding/counters.h"
#include "binding/job_thread.h"
#include "camera/ground_map.h"
#include "camera/renderer.h"
#include "core/thread_pool.h"

namespace wam::binding {

/// What a call of a camera is given and gives back.
struct CameraWork {
  std::vector<camera::FrameInput> frames;  // their bodies lie in `bodies`
  std::vector<camera::Body> bodies;
  std::vector<std::shared_ptr<const camera::GroundMap>> maps;  // keeps them alive
  int width = 0, height = 0;
  bool wants_depth = false, wants_ids = false, wants_sights = false;
  /// Pictures [n, height, width, 3], padded to 8 bytes; then, each when wanted, depths and ids [n, height, width] and
  /// sights [bodies, 7].
  std::vector<std::uint8_t> out;
  std::size_t depth_at = 0, ids_at = 0, sights_at = 0;

  /// Sets `out` up.
  void lay_out();
};

/// Renderers for frames in batches, a thread each. Functions are for the JavaScript thread.
class CameraRenderer : public std::enable_shared_from_this<CameraRenderer> {
 public:
  static constexpr const char* kHandleName = "camera";
  static constexpr napi_type_tag kHandleTag{0x77616d2d666c6f77, 21};

  CameraRenderer(std::shared_ptr<Environment> environment, int threads);

  /// A call's memory, that of an earlier one where there is one.
  std::unique_ptr<CameraWork> new_work();
  /// A promise of an ArrayBuffer with what `CameraWork::out` holds, or of undefined when aborted.
  napi_value render(napi_env env, std::unique_ptr<CameraWork> work, double job);
  void abort(napi_env env, double job);
  napi_value close(napi_env env);

 private:
  class RenderJob;

  std::shared_ptr<Environment> environment_;
  ThreadPool pool_;
  std::vector<camera::Renderer> renderers_;  // [threads]
  std::unique_ptr<CameraWork> spare_;
  JobThread thread_;  // last: joined before anything above goes away
};

}  // namespace wam::binding
