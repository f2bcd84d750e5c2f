# SPDX-License-Identifier: BSD-2-Clause
#
# cmake -DOUTPUT=FILE -DSTYLE=FILE -DSCRIPT=FILE -DPLOT_DIRECTORY=DIRECTORY-OR-EMPTY -P EmbedAssets.cmake
#
# Writes the definitions for report_assets.h. Without uPlot its parts are empty.
function(read_asset variable path)
  set(content "")
  if(path)
    file(READ "${path}" content)
  endif()
  string(SHA256 hash "${content}")
  set(${variable} "${content}" PARENT_SCOPE)
  set(${variable}_hash "${hash}" PARENT_SCOPE)
endfunction()

read_asset(style "${STYLE}")
read_asset(script "${SCRIPT}")
foreach(part plot_style=dist/uPlot.min.css plot_script=dist/uPlot.iife.min.js plot_licence=LICENSE)
  string(REPLACE "=" ";" part "${part}")
  list(GET part 0 variable)
  list(GET part 1 path)
  if(PLOT_DIRECTORY)
    set(path "${PLOT_DIRECTORY}/${path}")
  else()
    set(path "")
  endif()
  read_asset(${variable} "${path}")
endforeach()

set(text "#include \"ci/judge/report_assets.h\"\n\nnamespace bpfmark {\n")
foreach(part style:kReportStyle script:kReportScript plot_style:kPlotStyle plot_script:kPlotScript)
  string(REGEX REPLACE ":.*" "" variable "${part}")
  string(REGEX REPLACE ".*:" "" name "${part}")
  string(APPEND text "const Asset ${name} = {R\"asset~(${${variable}})asset~\", \"${${variable}_hash}\"};\n")
endforeach()
string(APPEND text "const std::string_view kPlotLicence = R\"asset~(${plot_licence})asset~\";\n")
string(APPEND text "}  // namespace bpfmark\n")
file(WRITE "${OUTPUT}" "${text}")
