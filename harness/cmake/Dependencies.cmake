# SPDX-License-Identifier: BSD-2-Clause
# Finds every library and tool that the build needs, and reports all that are missing or too old in
# one message, with the command that installs them.

set(bpfmark_missing "")

# Macros, not functions: what find_package() sets must reach the rest of the project.
macro(bpfmark_need_package name minimum)
  find_package(${name} QUIET)
  if(NOT ${name}_FOUND)
    list(APPEND bpfmark_missing "${name} >= ${minimum}: not found")
  elseif("${${name}_VERSION}" VERSION_LESS "${minimum}")
    list(APPEND bpfmark_missing "${name} >= ${minimum}: found ${${name}_VERSION}")
  endif()
endmacro()

macro(bpfmark_need_module prefix module minimum)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
  endif()
  if(NOT ${prefix}_FOUND)
    list(APPEND bpfmark_missing "${module} >= ${minimum}: not found (pkg-config)")
  elseif("${${prefix}_VERSION}" VERSION_LESS "${minimum}")
    list(APPEND bpfmark_missing "${module} >= ${minimum}: found ${${prefix}_VERSION}")
  endif()
endmacro()

find_package(PkgConfig QUIET)
if(NOT PKG_CONFIG_FOUND)
  list(APPEND bpfmark_missing "pkg-config: not found")
endif()
find_package(Threads REQUIRED)
bpfmark_need_package(benchmark 1.7.1)
bpfmark_need_package(fmt 9.0)
bpfmark_need_package(nlohmann_json 3.11)
bpfmark_need_package(CLI11 2.1)
bpfmark_need_module(LIBBPF libbpf 1.4)
bpfmark_need_module(LIBNL libnl-route-3.0 3.7)
bpfmark_need_module(LIBURING liburing 2.3)
bpfmark_need_module(LIBXDP libxdp 1.3)
bpfmark_need_module(ZLIB zlib 1.2)
if(BPFMARK_TESTS)
  bpfmark_need_package(GTest 1.12)
endif()

find_program(BPFMARK_CLANG NAMES clang-19 clang-18 clang
             DOC "clang that compiles for the BPF target")
if(NOT BPFMARK_CLANG)
  list(APPEND bpfmark_missing "clang >= 18: not found")
else()
  execute_process(COMMAND "${BPFMARK_CLANG}" -dumpversion OUTPUT_VARIABLE BPFMARK_CLANG_VERSION
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(BPFMARK_CLANG_VERSION VERSION_LESS 18)
    list(APPEND bpfmark_missing "clang >= 18: found ${BPFMARK_CLANG_VERSION} (${BPFMARK_CLANG})")
  endif()
endif()
if(BPFMARK_TESTS AND BPFMARK_CLANG)
  string(REPLACE "clang" "clang++" bpfmark_clangxx "${BPFMARK_CLANG}")
  find_program(BPFMARK_CLANGXX NAMES "${bpfmark_clangxx}" DOC "clang++ that compiles the fuzzers")
  # Asked by doing: where the library lies depends on the version and the distribution.
  file(WRITE "${CMAKE_BINARY_DIR}/fuzzer_check.cpp"
       "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(COMMAND "${BPFMARK_CLANGXX}" -fsanitize=fuzzer "${CMAKE_BINARY_DIR}/fuzzer_check.cpp"
                          -o "${CMAKE_BINARY_DIR}/fuzzer_check"
                  RESULT_VARIABLE bpfmark_fuzzer_status OUTPUT_QUIET ERROR_QUIET)
  if(NOT bpfmark_fuzzer_status EQUAL 0)
    list(APPEND bpfmark_missing "libFuzzer for ${BPFMARK_CLANG}: not found (libclang-rt-19-dev)")
  endif()
endif()
find_program(BPFMARK_BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin DOC "bpftool")
if(NOT BPFMARK_BPFTOOL)
  list(APPEND bpfmark_missing "bpftool: not found")
endif()

if(bpfmark_missing)
  list(JOIN bpfmark_missing "\n  " bpfmark_missing_lines)
  message(FATAL_ERROR
    "missing or too old:\n  ${bpfmark_missing_lines}\n'sudo ci/setup' installs them on Debian 12 and 13.")
endif()
