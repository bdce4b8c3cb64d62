# The addon, built by node-gyp with g++, make and python3 only; CUDA code comes as a library that
# scripts/build-kernels.mjs made. CMakeLists.txt builds the same list of sources. One static library for each set of flags,
# because gyp has flags for a target, not for a file.
{
  "includes": ["native/sources.gypi"],
  "variables": {
    # 1 builds the native test programs too, and an addon with `device: 'simt'` (scripts/build-native.mjs --tests); a
    # user's build never does.
    "wam_tests%": 0,
    # 1 builds the timing program of `npm run bench` (scripts/build-native.mjs --bench), which wam_tests builds as well.
    "wam_bench%": 0,
    # 1 links build-cuda/libwam_cuda.a (scripts/build-native.mjs --cuda).
    "wam_cuda%": 0,
    "wam_napi_defines": [
      "NAPI_CPP_EXCEPTIONS",
      "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ]
  },
  "target_defaults": {
    "include_dirs": ["native"],
    "defines": ["NAPI_VERSION=9"],
    # Node 20's headers ask for gnu++17 and switch exceptions off.
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions", "-fno-rtti"],
    "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-fvisibility-inlines-hidden"],
    "cflags": ["-O3"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "12.0",
      "OTHER_CPLUSPLUSFLAGS": ["<@(wam_baseline_flags)"]
    },
    "msvs_settings": {
      "VCCLCompilerTool": {
        "ExceptionHandling": 1,
        "RuntimeTypeInfo": "true",
        "AdditionalOptions": ["/std:c++20", "/fp:precise"]
      }
    }
  },
  "targets": [
    {
      "target_name": "wam_core",
      "type": "static_library",
      "sources": ["<@(wam_core_sources)"],
      # Contraction would let the compiler decide where a product is rounded; here the source decides.
      "cflags_cc": ["<@(wam_baseline_flags)"]
    },
    {
      "target_name": "wam_flow",
      "sources": ["<@(wam_binding_sources)"],
      "cflags_cc": ["<@(wam_baseline_flags)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["<@(wam_napi_defines)"],
      "dependencies": ["wam_core", "wam_devices"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["wam_avx2", "wam_avx512"] }],
        ["OS=='linux'", { "ldflags": ["-Wl,--exclude-libs,ALL"] }],
        ["wam_cuda==1", {
          "libraries": [
            "<(module_root_dir)/build-cuda/libwam_cuda.a",
            "<(module_root_dir)/build-cuda/libcudart_static.a",
            "-ldl", "-lrt", "-lpthread"
          ]
        }]
      ]
    },
    {
      # The part of the binding that knows which devices this build has. Apart, so that going from one kind of build to
      # another compiles it and nothing else.
      "target_name": "wam_devices",
      "type": "static_library",
      "sources": ["<@(wam_device_sources)"],
      "cflags_cc": ["<@(wam_baseline_flags)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["<@(wam_napi_defines)"],
      "conditions": [
        ["wam_cuda==1", { "defines": ["WAM_CUDA=1"] }],
        ["wam_tests==1", {
          "defines": ["WAM_SIMT=1"],
          "dependencies": ["wam_simt", "wam_simt_kernels"]
        }]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "wam_avx2",
          "type": "static_library",
          "sources": ["<@(wam_avx2_sources)"],
          "cflags_cc": ["<@(wam_avx2_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(wam_avx2_flags)"] }
        },
        {
          "target_name": "wam_avx512",
          "type": "static_library",
          "sources": ["<@(wam_avx512_sources)"],
          "cflags_cc": ["<@(wam_avx512_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(wam_avx512_flags)"] }
        }
      ]
    }],
    ["wam_tests==1 or wam_bench==1", {
      "targets": [
        {
          "target_name": "wam_flow_cpu_bench",
          "type": "executable",
          "sources": ["<@(wam_cpu_bench_sources)"],
          "cflags_cc": ["<@(wam_baseline_flags)"],
          "dependencies": ["wam_core"],
          "conditions": [["target_arch=='x64'", { "dependencies": ["wam_avx2", "wam_avx512"] }]]
        }
      ]
    }],
    ["wam_tests==1", {
      "targets": [
        {
          "target_name": "wam_flow_native_tests",
          "type": "executable",
          "sources": ["<@(wam_test_sources)"],
          "cflags_cc": ["<@(wam_baseline_flags)"],
          "dependencies": ["wam_core"],
          "conditions": [["target_arch=='x64'", { "dependencies": ["wam_avx2", "wam_avx512"] }]]
        },
        {
          # The whole engine in double: gradients against finite differences without rounding noise. The instruction
          # set sources are float only, so this build has the portable code alone.
          "target_name": "wam_flow_native_tests_f64",
          "type": "executable",
          "sources": ["<@(wam_core_sources)", "<@(wam_test_sources)"],
          "defines": ["WAM_REAL=double"],
          "cflags_cc": ["<@(wam_baseline_flags)"]
        },
        {
          # What runs kernels on the CPU, and what the memory hooks of the compiler call.
          "target_name": "wam_simt",
          "type": "static_library",
          "sources": ["<@(wam_simt_sources)"],
          "cflags!": ["-O3"],
          "cflags": ["-O2"],
          "cflags_cc": ["<@(wam_baseline_flags)"]
        },
        {
          # The GPU backend and its kernels for the harness. The hooks of the sanitizers report every load and store;
          # wam_simt has them, so nothing is linked with -fsanitize. `#pragma unroll` is for nvcc.
          "target_name": "wam_simt_kernels",
          "type": "static_library",
          "sources": ["<@(wam_cuda_sources)"],
          "cflags!": ["-O3"],
          "cflags": ["-O1", "-g", "-Wno-unknown-pragmas", "<@(wam_harness_flags)"],
          "cflags_cc": ["<@(wam_baseline_flags)"],
          "dependencies": ["wam_simt"]
        },
        {
          # Kernels with planted bugs, which the harness must find.
          "target_name": "wam_simt_planted",
          "type": "static_library",
          "sources": ["<@(wam_planted_sources)"],
          "cflags!": ["-O3"],
          "cflags": ["-O1", "-g", "-Wno-unknown-pragmas", "<@(wam_harness_flags)"],
          "cflags_cc": ["<@(wam_baseline_flags)"]
        },
        {
          "target_name": "wam_flow_gpu_tests",
          "type": "executable",
          "sources": ["native/test/main.cpp", "<@(wam_gpu_test_sources)"],
          "cflags!": ["-O3"],
          "cflags": ["-O1", "-Wno-unknown-pragmas"],
          "cflags_cc": ["<@(wam_baseline_flags)"],
          "dependencies": ["wam_core", "wam_simt_planted", "wam_simt_kernels", "wam_simt"],
          "conditions": [["target_arch=='x64'", { "dependencies": ["wam_avx2", "wam_avx512"] }]]
        }
      ]
    }]
  ]
}
