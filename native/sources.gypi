{
  "variables": {
    "wam_core_sources": [
      "native/core/thread_pool.cpp",
      "native/flow/grid.cpp",
      "native/flow/mixture.cpp",
      "native/flow/schedule.cpp"
    ],
    "wam_avx2_sources": [],
    "wam_avx512_sources": [],
    "wam_cuda_sources": [],
    "wam_binding_sources": [],
    "wam_test_sources": []
  }
}
