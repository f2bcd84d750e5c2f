// SPDX-License-Identifier: BSD-2-Clause
// What no command may take: each says so in one line that names the file, ends with 2, and leaves
// every file as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "ci/judge/compare_command.h"
#include "ci/judge/export_command.h"
#include "ci/judge/ledger_command.h"
#include "ci/judge/matrix_command.h"
#include "ci/judge/paper_command.h"
#include "ci/judge/report_command.h"
#include "ci/judge/track_command.h"
#include "tests/judge/histories.h"
#include "tests/judge/results.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Files {
  std::string input;   // the one that matters
  std::string good;    // another result, without a fault
  std::string output;  // what is to be written
};

struct Streams {
  std::ostringstream out, err;
};

struct Command {
  std::string name;
  std::function<int(const Files&, Streams&)> run;
};

// All that read results. A name with two words has the same complaints as its first.
const std::vector<Command> kReaders = {
    {"compare old",
     [](const Files& f, Streams& s) {
       return run_compare({.inputs = {f.input, f.good}, .out_path = f.output}, s.out, s.err);
     }},
    {"compare new",
     [](const Files& f, Streams& s) {
       return run_compare({.inputs = {f.good, f.input}, .out_path = f.output}, s.out, s.err);
     }},
    {"track add",
     [](const Files& f, Streams& s) {
       return run_track({.action = TrackOptions::Action::kAdd,
                         .results = {f.good, f.input},
                         .history = f.output},
                        s.out, s.err);
     }},
    {"report",
     [](const Files& f, Streams& s) {
       return run_report({.results = {f.input}, .out_path = f.output}, s.out, s.err);
     }},
    {"report compare",
     [](const Files& f, Streams& s) {
       return run_report({.results = {f.good}, .compare = f.input, .out_path = f.output}, s.out,
                         s.err);
     }},
    {"export",
     [](const Files& f, Streams& s) {
       return run_export({.format = "benchfmt", .inputs = {f.good, f.input}, .out_path = f.output},
                         s.out, s.err);
     }},
    {"ledger",
     [](const Files& f, Streams& s) { return run_ledger({.input = f.input}, s.out, s.err); }},
    {"paper",
     [](const Files& f, Streams& s) { return run_paper({.input = f.input}, s.out, s.err); }},
};

const std::vector<Command> kWriters = {
    {"compare",
     [](const Files& f, Streams& s) {
       return run_compare({.inputs = {f.good, f.good}, .out_path = f.output}, s.out, s.err);
     }},
    {"track",
     [](const Files& f, Streams& s) {
       return run_track(
           {.action = TrackOptions::Action::kAdd, .results = {f.good}, .history = f.output}, s.out,
           s.err);
     }},
    {"report",
     [](const Files& f, Streams& s) {
       return run_report({.results = {f.good}, .out_path = f.output}, s.out, s.err);
     }},
    {"export",
     [](const Files& f, Streams& s) {
       return run_export({.format = "csv", .inputs = {f.good}, .out_path = f.output}, s.out, s.err);
     }},
    {"matrix",
     [](const Files& f, Streams& s) {
       return run_matrix({.inputs = {f.good}, .out_path = f.output}, s.out, s.err);
     }},
};

const std::vector<Command> kHistoryReaders = {
    {"track check",
     [](const Files& f, Streams& s) {
       return run_track(
           {.action = TrackOptions::Action::kCheck, .history = f.input, .metrics = {"net"}}, s.out,
           s.err);
     }},
    {"track add",
     [](const Files& f, Streams& s) {
       return run_track(
           {.action = TrackOptions::Action::kAdd, .results = {f.good}, .history = f.input}, s.out,
           s.err);
     }},
    {"report",
     [](const Files& f, Streams& s) {
       return run_report({.results = {f.good}, .history = f.input, .out_path = f.output}, s.out,
                         s.err);
     }},
};

ordered_json good_result() {
  ordered_json result = empty_result();
  ordered_json entry = entry_of("x/type:hash", {{"net_ns", 5}});
  entry["verdict"] = "resolved";
  result["benchmarks"].push_back(entry);
  return result;
}

ordered_json only_skips() {
  ordered_json result = empty_result();
  result["skips"].push_back({{"name", "a"}, {"support", "absent"}, {"cause", "two\nlines\x1b[1m"}});
  return result;
}

class BadInput : public ::testing::Test {
 protected:
  BadInput() { write_text(good_, good_result().dump()); }

  std::string file(const std::string& name, const std::string& text) {
    write_text(directory_.file(name), text);
    return directory_.file(name);
  }

  // Sizes are enough: contents are looked at where something could have been written.
  std::map<std::string, std::uintmax_t> files() const {
    std::map<std::string, std::uintmax_t> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      found[entry.path()] = entry.is_regular_file() ? entry.file_size() : 0;
    }
    return found;
  }

  void expect_refusal(const Command& command, const std::string& input, const std::string& place) {
    SCOPED_TRACE(command.name + " " + input);
    const auto before = files();
    Streams streams;
    EXPECT_EQ(command.run({.input = input, .good = good_, .output = output_}, streams), 2);
    const std::string err = streams.err.str();
    EXPECT_THAT(err, StartsWith("bench " + command.name.substr(0, command.name.find(' ')) + ": "));
    EXPECT_THAT(err, HasSubstr(place));
    EXPECT_EQ(std::ranges::count_if(err, [](unsigned char c) { return c < ' '; }), 1) << err;
    EXPECT_THAT(streams.out.str(), IsEmpty());
    EXPECT_EQ(files(), before);
  }

  TemporaryDirectory directory_;
  const std::string good_ = directory_.file("good.json"), output_ = directory_.file("output");
};

TEST_F(BadInput, OfResultsIsOneLineThatNamesTheFileAndLeavesNothing) {
  const std::string text = good_result().dump();
  const auto replaced = [&text](const std::string& part, const std::string& by) {
    std::string changed = text;
    return changed.replace(changed.find(part), part.size(), by);
  };
  ASSERT_EQ(::mkfifo(directory_.file("pipe.json").c_str(), 0600), 0);
  std::vector<std::pair<std::string, std::string>> inputs = {
      {file("empty.json", ""), "the file is empty"},
      {file("truncated.json", text.substr(0, text.size() - 3)), "parse error at line 1, column "},
      {file("nan.json", replaced("\"net_ns\":5.0", "\"net_ns\":NaN")),
       "parse error at line 1, column "},
      {file("twice.json", replaced("\"threads\":1", "\"net_ns\":1")),
       "benchmarks[0].net_ns: the key stands twice"},
      {file("schema.json", replaced("\"schema_version\":1", "\"schema_version\":9")),
       "context.bpfmark.schema_version: 9, but this program reads 1"},
      {file("stock.json", replaced("\"bpfmark\"", "\"other\"")), "no bpfmark result"},
      {file("skips.json", only_skips().dump()), "no benchmark gave a number: 1 skipped"},
      {file("huge.json", text), "files above 2147483648 bytes are refused"},
      {directory_.file("pipe.json"), "not a regular file"},
      {directory_.file("absent.json"), "No such file or directory"}};
  std::filesystem::resize_file(directory_.file("huge.json"), (std::uintmax_t{2} << 30) + 1);
  for (const auto& [input, complaint] : inputs) {
    for (const Command& command : kReaders) {
      expect_refusal(command, input, input);
      expect_refusal(command, input, complaint);
    }
  }
}

// `bench matrix` is there to show results without any number.
TEST_F(BadInput, OnlySkipsAreWelcomeInAMatrix) {
  Streams streams;
  EXPECT_EQ(
      run_matrix({.inputs = {file("skips.json", only_skips().dump())}}, streams.out, streams.err),
      0);
  EXPECT_THAT(streams.out.str(), HasSubstr("skipped"));
}

TEST_F(BadInput, OfAHistoryNamesTheLine) {
  const auto line = [](std::size_t i) {
    return history_line(run_number(i), {{"x", {{"net_ns", 5}}}}) + "\n";
  };
  const std::string first = line(0), second = line(1);
  for (const std::string& broken :
       {second.substr(0, second.size() - 1), second.substr(0, 40) + "\n", std::string("\n"),
        std::string("{}\n"), std::string("NaN\n"), std::string("\0\n", 2), "[" + second}) {
    const std::string history = file("h.jsonl", first + broken + line(2));
    // Only the last line can lack its end.
    const bool cut_off = !broken.ends_with('\n');
    if (cut_off) write_text(history, first + broken);
    for (const Command& command : kHistoryReaders)
      expect_refusal(command, history, history + ":2: ");
    EXPECT_EQ(text_of(history), cut_off ? first + broken : first + broken + line(2));
  }
}

TEST_F(BadInput, AFullDiskKeepsTheOldFileAndLeavesNoOther) {
  const std::string old = history_line(run_number(0), {{"x", {{"net_ns", 5}}}}) + "\n";
  for (const Command& command : kWriters) {
    write_text(output_, old);
    {
      const FileSizeLimit limit(20);
      expect_refusal(command, good_, output_ + ": File too large");
    }
    EXPECT_EQ(text_of(output_), old) << command.name;
  }
}

}  // namespace
}  // namespace bpfmark
