# SPDX-License-Identifier: BSD-2-Clause
#
# bpfmark_add_fuzzer(<name> SOURCES <file>... CORPUS <directory> [LIBRARIES <name>...] [SECONDS <s>])
#
# Makes the libFuzzer executable <name> from LLVMFuzzerTestOneInput() and what it tests, and a test of that
# name (labels "fuzz unit") that runs the kept corpus and then searches on from it for SECONDS (20). Sources
# and corpus are relative to the top of the project; LIBRARIES are names for the linker. clang compiles the
# sources once more, for g++ has no libFuzzer, with the address and undefined-behaviour sanitizers. The
# corpus in the repository is only read: what a run finds stays in tests/fuzz/<name>/ of the build directory,
# an input that crashes as crash-*. Put a small form of that into the corpus.
function(bpfmark_add_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 fuzzer "" "CORPUS;SECONDS" "SOURCES;LIBRARIES")
  if(NOT fuzzer_SECONDS)
    set(fuzzer_SECONDS 20)
  endif()
  set(flags -std=c++2b -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
  set(found "${CMAKE_CURRENT_BINARY_DIR}/fuzz/${name}")
  file(MAKE_DIRECTORY "${found}/corpus")
  set(objects "")
  foreach(source IN LISTS fuzzer_SOURCES)
    string(MAKE_C_IDENTIFIER "${source}" object)
    set(object "${found}/${object}.o")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} "${BPFMARK_CLANGXX}" ${flags} "-I${PROJECT_SOURCE_DIR}"
              -MD -MF "${object}.d" -MT "${object}" -c "${PROJECT_SOURCE_DIR}/${source}" -o "${object}"
      DEPENDS "${PROJECT_SOURCE_DIR}/${source}" DEPFILE "${object}.d"
      COMMENT "Fuzzer ${name}: ${source}" VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  list(TRANSFORM fuzzer_LIBRARIES PREPEND "-l")
  add_custom_command(
    OUTPUT "${found}/${name}"
    COMMAND "${BPFMARK_CLANGXX}" ${flags} ${objects} ${fuzzer_LIBRARIES} -o "${found}/${name}"
    DEPENDS ${objects} COMMENT "Fuzzer ${name}" VERBATIM)
  add_custom_target(${name} ALL DEPENDS "${found}/${name}")
  # An input may take 5 s and 1 GiB; what is new goes to the first directory.
  add_test(NAME ${name}
    COMMAND "${found}/${name}" -max_total_time=${fuzzer_SECONDS} -timeout=5 -rss_limit_mb=1024
            -print_final_stats=1 "-artifact_prefix=${found}/" "${found}/corpus"
            "${PROJECT_SOURCE_DIR}/${fuzzer_CORPUS}")
  math(EXPR timeout "${fuzzer_SECONDS} + 120")
  set_tests_properties(${name} PROPERTIES LABELS "fuzz;unit" TIMEOUT ${timeout})
endfunction()
