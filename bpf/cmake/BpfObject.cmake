# SPDX-License-Identifier: BSD-2-Clause
#
# bpf_add_object(<name> [SOURCE <file>] [CPU <version>])
#
# Compiles <name>.bpf.c (or SOURCE) of the current directory for the BPF target, version v3 of its
# instruction set (or CPU), generates <name>.skel.h from the object, and makes the interface target
# bpf::<name> that carries the skeleton's include directory.
# A header that changes rebuilds object, skeleton and user code (clang writes the depfile).

execute_process(COMMAND "${CMAKE_C_COMPILER}" -print-multiarch OUTPUT_VARIABLE bpf_multiarch
                OUTPUT_STRIP_TRAILING_WHITESPACE)

# What libbpf's headers call the machine whose registers a probe sees.
string(REPLACE "x86_64" "x86" bpf_arch "${CMAKE_SYSTEM_PROCESSOR}")
string(REPLACE "aarch64" "arm64" bpf_arch "${bpf_arch}")

function(bpf_add_object name)
  cmake_parse_arguments(PARSE_ARGV 1 object "" "SOURCE;CPU" "")
  if(NOT object_SOURCE)
    set(object_SOURCE "${name}.bpf.c")
  endif()
  if(NOT object_CPU)
    set(object_CPU v3)
  endif()
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${object_SOURCE}")
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(skeleton "${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${BPFMARK_CLANG}" -target bpf "-mcpu=${object_CPU}" -O2 -g -Wall -Werror
            "-D__TARGET_ARCH_${bpf_arch}"
            "$<$<BOOL:${BPFMARK_PLANTED}>:-DBPFMARK_PLANTED>"
            "-I${PROJECT_SOURCE_DIR}" -isystem "/usr/include/${bpf_multiarch}"
            -MD -MF "${object}.d" -MT "${object}" -c "${source}" -o "${object}"
    DEPENDS "${source}" DEPFILE "${object}.d"
    COMMENT "BPF object ${name}" COMMAND_EXPAND_LISTS VERBATIM)
  # A failing bpftool must not leave an empty header that looks up to date: temporary, then rename.
  add_custom_command(
    OUTPUT "${skeleton}"
    COMMAND "${CMAKE_COMMAND}" "-DBPFTOOL=${BPFMARK_BPFTOOL}" "-DOBJECT=${object}"
            "-DNAME=${name}_bpf" "-DSKELETON=${skeleton}"
            -P "${PROJECT_SOURCE_DIR}/bpf/cmake/GenSkeleton.cmake"
    DEPENDS "${object}" "${PROJECT_SOURCE_DIR}/bpf/cmake/GenSkeleton.cmake"
    COMMENT "BPF skeleton ${name}" VERBATIM)
  add_custom_target(bpf_${name}_skeleton DEPENDS "${skeleton}")
  add_library(bpf_${name} INTERFACE)
  add_dependencies(bpf_${name} bpf_${name}_skeleton)
  target_include_directories(bpf_${name} SYSTEM INTERFACE "${CMAKE_CURRENT_BINARY_DIR}")
  target_link_libraries(bpf_${name} INTERFACE PkgConfig::LIBBPF)
  add_library(bpf::${name} ALIAS bpf_${name})
endfunction()
