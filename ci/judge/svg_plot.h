// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "harness/statistics.h"

// Plots as inline SVG, for a page with scripts off and for paper. Pure functions. Colours come from
// the classes of report/report.css; texts are escaped here.
namespace bpfmark {

// "1.25 ns", "31.5 us", "2 ms": three significant digits in the unit that suits.
std::string shown_ns(double ns);

struct DotRow {
  std::string label;
  double value = 0;
  std::optional<Interval> interval;
  std::string note;  // at the right end
  std::string tone;  // "", "worse", "better" or "weak"
};

struct DotPlot {
  std::string title;  // read aloud in the place of the plot
  std::string unit;
  std::optional<double> reference;  // a line all through
  double band = 0;                  // what is grey on both sides of it
  bool from_zero = false;           // the axis begins at 0
  bool as_percent = false;          // ticks are fractions, shown as signed percent
  std::vector<DotRow> rows;
};

// One row a value, with its interval. Nothing for no rows.
std::string dot_plot_svg(const DotPlot& plot);

struct QuantilePoint {
  double q;
  double ns;
};

struct QuantileLine {
  std::string label;
  std::vector<QuantilePoint> points;  // ascending
};

// Latency over the quantile, whose axis is in nines: 50 % 90 % 99 % ... Latency is on a log axis
// where it spans more than a factor of 20.
std::string quantile_svg(const std::string& title, const std::vector<QuantileLine>& lines);

struct TimePlot {
  struct Mark {
    std::size_t place;
    std::string text;
    std::string tone;
  };
  struct LevelLine {
    std::size_t first, end;
    double value;
  };
  std::string title;
  std::string unit;
  std::vector<double> values;  // one a run
  std::vector<LevelLine> levels;
  std::vector<Mark> breaks, changes;
  std::string first_label, last_label;  // of the axis of runs
};

// A series of runs. Above 1500 values, the smallest and the largest of every stretch stand for it.
std::string time_svg(const TimePlot& plot);

}  // namespace bpfmark
