#include "core/thread_pool.h"

#include <chrono>
#include <limits>
#include <stdexcept>
#include <vector>

#include "test/test.h"

using wam::ThreadPool;

TEST(pool_runs_every_task_once_whatever_the_team) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK_EQ(pool.threads(), threads);
    for (int tasks = 0; tasks < 40; ++tasks) {
      std::vector<int> runs(static_cast<std::size_t>(tasks));
      std::vector<int> worker_of(static_cast<std::size_t>(tasks), -1);
      pool.run(tasks, [&](int task, int worker) {
        ++runs[static_cast<std::size_t>(task)];
        worker_of[static_cast<std::size_t>(task)] = worker;
      });
      bool once = true, team = true;
      for (const int n : runs) once = once && n == 1;
      for (const int w : worker_of) team = team && w >= 0 && w < threads;
      CHECK(once);
      CHECK(team);
    }
  }
}

TEST(pool_wakes_sleeping_workers) {
  // Two tasks that wait for each other end only if two threads run them; sleeping in between lets the worker park.
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 4 == 0 ? 2 : 0));
    std::atomic<int> arrived{0};
    pool.run(2, [&](int, int) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
    });
    CHECK_EQ(arrived.load(), 2);
  }
}

TEST(pool_rethrows_the_exception_of_a_task_and_stays_usable) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 10; ++round) {
      CHECK_THROWS(pool.run(16,
                            [](int task, int) {
                              if (task == 3) throw std::runtime_error("task 3");
                            }),
                   std::runtime_error);
      std::atomic<int> done{0};
      pool.run(16, [&](int, int) { ++done; });
      CHECK_EQ(done.load(), 16);
    }
  }
}

TEST(pool_can_be_destroyed_right_after_construction_and_after_work) {
  for (int round = 0; round < 50; ++round) {
    ThreadPool idle(3);
    ThreadPool busy(3);
    std::atomic<int> done{0};
    busy.run(5, [&](int, int) { ++done; });
    CHECK_EQ(done.load(), 5);
  }
}

#if defined(__x86_64__)
TEST(denormals_are_flushed_in_scope_and_in_every_worker) {
  volatile float tiny = std::numeric_limits<float>::min();
  const auto halved = [&] { return tiny * 0.5f; };
  {
    const wam::FlushDenormals flush;
    CHECK_EQ(halved(), 0.0f);
  }
  ThreadPool pool(2);
  std::atomic<int> arrived{0};
  float worker_result = -1;
  pool.run(2, [&](int, int worker) {
    ++arrived;
    while (arrived.load() < 2) std::this_thread::yield();
    if (worker == 1) worker_result = halved();
  });
  CHECK_EQ(worker_result, 0.0f);
}
#endif
