# SPDX-License-Identifier: BSD-2-Clause
# Script mode: BPFTOOL, OBJECT, NAME, SKELETON. Writes the skeleton header whole or not at all.
execute_process(COMMAND "${BPFTOOL}" gen skeleton "${OBJECT}" name "${NAME}"
                OUTPUT_FILE "${SKELETON}.tmp" RESULT_VARIABLE status ERROR_VARIABLE message)
if(NOT status EQUAL 0)
  file(REMOVE "${SKELETON}.tmp")
  message(FATAL_ERROR "bpftool gen skeleton ${OBJECT}: ${message}")
endif()
file(RENAME "${SKELETON}.tmp" "${SKELETON}")
