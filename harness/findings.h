// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/histogram.h"
#include "harness/result.h"

namespace bpfmark {

struct NamedHistogram {
  std::string name;  // whose clock, as in "caller" or "kernel"
  Histogram histogram;
};

// Summary of the single samples of one trial, by one clock, under one rule of what is left out.
struct Trial {
  int trial = 0;  // from 1
  std::string clock;
  std::string filter;  // "raw": nothing is left out; "iqr": outliers by the interquartile range
  std::uint64_t count = 0;
  double avg_ns = 0;
  double p50_ns = 0;
  double p99_ns = 0;
  double min_ns = 0;
  double max_ns = 0;
  double stddev_ns = 0;                   // of the population
  std::vector<std::uint64_t> samples_ns;  // kept only on request
};

// A BPF program that somebody else attached where a case measures.
struct ForeignProgram {
  std::uint32_t id = 0;
  std::string type;
  std::string name;
  std::string tag;
  std::string attach;  // what it is attached to, as far as the kernel tells

  friend bool operator==(const ForeignProgram&, const ForeignProgram&) = default;
};

// A counter or a check that the row of a case lacks on this machine.
struct Missing {
  std::string what;  // "cache_misses"
  Error why;         // a typed skip of this one thing
};

// What the loads of a case found out besides times. Every load adds to what those before it left:
// counts and histograms grow, a property is set anew.
struct Findings {
  std::map<std::string, double> counters;  // by the name they have in the row of the result file
  std::vector<NamedHistogram> histograms;  // quantiles of the row are those of the first
  std::vector<Trial> trials;
  std::vector<ForeignProgram> foreign_programs;
  std::vector<Missing> missing;

  // The one of that name; a new one is empty.
  Histogram& histogram(const std::string& name);

  // Adds what is not in the list yet.
  void add_foreign(const ForeignProgram& program);

  // Likewise, by `what`; takes the counter of that name out of the row.
  void add_missing(const std::string& what, const Error& why);
};

}  // namespace bpfmark
