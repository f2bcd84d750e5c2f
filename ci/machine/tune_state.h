// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// A setting that was changed: a file of /proc or /sys and its one line.
struct TunedSetting {
  std::string path, former, wanted;
};

// The record of what was changed, as JSON Lines. A line is on the disk before the change is made,
// so whatever ends the program, the former value is known. One process at a time holds it.
class TuneState {
 public:
  // Errors: kSystem; kWrongResult for a record that is not ours, and for one that is in use.
  static Result<TuneState> open(const std::string& path);

  const std::vector<TunedSetting>& settings() const { return settings_; }

  // Errors: kSystem; nothing may be changed then.
  Result<void> add(const TunedSetting& setting);

  // Replaces the record; with nothing in it, it goes. Errors: kSystem.
  Result<void> replace(std::vector<TunedSetting> settings);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, CloseFile>;

  TuneState(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  File file_;  // locked
  std::vector<TunedSetting> settings_;
};

}  // namespace bpfmark
