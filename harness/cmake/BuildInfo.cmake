# SPDX-License-Identifier: BSD-2-Clause
# Script mode: SOURCE_DIR, TEMPLATE, OUTPUT and the values of the template. Runs at every build, so
# that the commit in the result file is the one that was built.
execute_process(COMMAND git -c safe.directory=* -C "${SOURCE_DIR}" describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE
                RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  set(COMMIT "unknown")
endif()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
