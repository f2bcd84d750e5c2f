// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_directory.h"

namespace bpfmark {

// A tree of settings files, to stand before /proc and /sys.
class MadeMachine {
 public:
  std::string root() const { return directory_.path().string(); }
  std::string path(const std::string& file) const { return root() + file; }

  void set(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(file)).parent_path());
    std::ofstream(path(file)) << text;
  }
  std::string get(const std::string& file) const {
    std::ifstream in(path(file));
    std::string line;
    std::getline(in, line);
    return line;
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace bpfmark
