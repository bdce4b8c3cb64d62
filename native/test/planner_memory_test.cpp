// A warm planner asks for no memory: from the packed observation to the plan.

#include <memory>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/cpu_backend.h"
#include "test/counting_allocator.h"
#include "test/small_planner.h"
#include "test/test.h"

namespace wam::test {

TEST(a_thousand_plans_after_the_first_ones_allocate_nothing) {
  if (!counts_allocations()) skip("this build has another allocator");
  const long before = allocations();
  delete new int;
  CHECK(allocations() > before);

  const auto data = bent_dataset(6, 90);
  std::vector<scene::PackedObservation> packed;
  std::vector<const scene::RoadMap*> maps;
  for (int i = 0; i < 40; ++i) {
    const scene::Observation o = observed(*data, i * data->size() / 40);
    packed.push_back(scene::pack_observation(o));
    maps.push_back(o.map);
  }
  const auto model = random_model(small_planner(MaskKind::prefix), 11);
  for (const cpu::Isa isa : {cpu::Isa::portable, cpu::best_isa()}) {
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads, {.cores = 2});
      const auto backend = cpu::make_cpu_backend(&pool, isa);
      PlanEngine engine(model, *backend, {4, 8});
      scene::Observation observation;
      PlanOutput out;
      std::atomic<bool> abort{false};
      const auto plan = [&](int i) {
        const scene::PackedObservation& p = packed[static_cast<std::size_t>(i) % packed.size()];
        scene::unpack_observation(*maps[static_cast<std::size_t>(i) % packed.size()], p.meta.data(), p.meta.size(),
                                  p.values.data(), p.values.size(), p.lanes.data(), p.lanes.size(), observation);
        // All rules, both ways to choose among tokens, one to four samples, with and without a deadline.
        PlanOptions o = sampled(1 + i % 4, 1 + i / 3 % 4, static_cast<std::uint64_t>(i));
        o.rule = static_cast<StepRule>(i % 3);
        o.decode = static_cast<DecodeRule>(i / 2 % 3), o.last_decode = static_cast<DecodeRule>(i / 5 % 3);
        o.reduce = static_cast<Reduce>(i / 7 % 3);
        o.top_k = i % 5 == 0 ? 10 : 0;
        o.abort = &abort;
        if (i % 2 == 0) o.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(i % 20);
        const ThreadPool::Burst burst(&pool);
        engine.plan(observation, o, out);
      };
      for (int i = 0; i < 300; ++i) plan(i);
      const long warm = allocations();
      // The portable kernels are slow and take the same memory.
      const int plans = isa == cpu::Isa::portable ? 100 : 1000;
      for (int i = 300; i < 300 + plans; ++i) plan(i);
      CHECK_EQ(allocations() - warm, 0);
    }
  }
}

}  // namespace wam::test
