# The CPU addon, built by node-gyp with g++, make and python3 only. CMakeLists.txt builds the same list of sources and
# adds CUDA. One static library an instruction set, because gyp has flags for a target, not for a file.
{
  "includes": ["native/sources.gypi"],
  "variables": {
    # 1 builds the native test programs too (scripts/build-native.mjs --tests); a user's build never does.
    "wam_tests%": 0
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
      "defines": [
        "NAPI_CPP_EXCEPTIONS",
        "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "dependencies": ["wam_core"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["wam_avx2", "wam_avx512"] }],
        ["OS=='linux'", { "ldflags": ["-Wl,--exclude-libs,ALL"] }]
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
        }
      ]
    }]
  ]
}
