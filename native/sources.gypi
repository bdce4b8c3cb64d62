{
  "variables": {
    "wam_baseline_flags": [
      "-ffp-contract=off"
    ],
    "wam_avx2_flags": [
      "-mavx2",
      "-mfma",
      "-ffp-contract=off"
    ],
    "wam_avx512_flags": [
      "-mavx512f",
      "-mavx512bw",
      "-mavx512dq",
      "-mavx512vl",
      "-mavx2",
      "-mfma",
      "-ffp-contract=off"
    ],
    "wam_core_sources": [
      "native/core/thread_pool.cpp",
      "native/cpu/cpu_attention.cpp",
      "native/cpu/cpu_backend.cpp",
      "native/cpu/cpu_backend_flow.cpp",
      "native/cpu/cpu_backend_posterior.cpp",
      "native/cpu/cpu_gemm.cpp",
      "native/cpu/cpu_rows.cpp",
      "native/cpu/cpu_training.cpp",
      "native/cpu/kernels_portable.cpp",
      "native/flow/grid.cpp",
      "native/flow/mixture.cpp",
      "native/flow/order.cpp",
      "native/flow/posterior.cpp",
      "native/flow/schedule.cpp",
      "native/model/batch_loss.cpp",
      "native/model/config.cpp",
      "native/model/decoder.cpp",
      "native/model/flow_noise.cpp",
      "native/model/model.cpp",
      "native/model/network.cpp",
      "native/model/numeric_tables.cpp",
      "native/model/parameters.cpp",
      "native/model/planner.cpp",
      "native/model/posterior_network.cpp",
      "native/model/reduce.cpp",
      "native/model/refine.cpp",
      "native/model/scene_encoder.cpp",
      "native/model/segments.cpp",
      "native/model/slot_scale.cpp",
      "native/model/token_features.cpp",
      "native/model/tokenizer_trainer.cpp",
      "native/model/trainer.cpp",
      "native/model/trajectory_tokens.cpp",
      "native/scene/dataset.cpp",
      "native/scene/features.cpp",
      "native/scene/map_match.cpp",
      "native/scene/pack_observation.cpp",
      "native/scene/polyline.cpp",
      "native/scene/road_map.cpp",
      "native/scene/route.cpp",
      "native/scene/unpack_observation.cpp"
    ],
    "wam_avx2_sources": [
      "native/cpu/kernels_avx2.cpp"
    ],
    "wam_avx512_sources": [
      "native/cpu/kernels_avx512.cpp"
    ],
    "wam_cuda_sources": [],
    "wam_binding_sources": [
      "native/binding/addon.cpp",
      "native/binding/config_reader.cpp",
      "native/binding/dataset_binding.cpp",
      "native/binding/engine.cpp",
      "native/binding/engine_binding.cpp",
      "native/binding/environment.cpp",
      "native/binding/failure.cpp",
      "native/binding/fields.cpp",
      "native/binding/job_thread.cpp",
      "native/binding/kernels_binding.cpp",
      "native/binding/kernels_network.cpp",
      "native/binding/kernels_path.cpp",
      "native/binding/kernels_tokens.cpp",
      "native/binding/kernels_training.cpp",
      "native/binding/listener_call.cpp",
      "native/binding/model_binding.cpp",
      "native/binding/plan_packing.cpp",
      "native/binding/tensors.cpp",
      "native/binding/training.cpp",
      "native/binding/training_binding.cpp"
    ],
    "wam_test_sources": [
      "native/test/cpu_attention_test.cpp",
      "native/test/cpu_gemm_test.cpp",
      "native/test/cpu_nn_test.cpp",
      "native/test/cpu_training_test.cpp",
      "native/test/flow_posterior_test.cpp",
      "native/test/flow_schedule_test.cpp",
      "native/test/flow_test.cpp",
      "native/test/main.cpp",
      "native/test/simd_test.cpp",
      "native/test/thread_pool_test.cpp",
      "native/test/model_gradient_test.cpp",
      "native/test/planner_test.cpp"
    ]
  }
}
