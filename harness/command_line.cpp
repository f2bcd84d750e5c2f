// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <system_error>

#include "harness/capability.h"
#include "harness/commands.h"
#include "harness/guards.h"
#include "harness/identity.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter = R"(Examples:
  bench                                             run the default suite
  bench --benchmark_filter=map_lookup/type:hash     run what matches
  bench --benchmark_filter=hook_entry --benchmark_out=run.json
  bench --suite=full --benchmark_repetitions=3 --label=before
  bench --cpu=3 --require=test_run_xdp,loop_bpf_loop
  bench list --names | bench probe | bench --version

Exit status: 0 every selected case gave a number or a typed skip; 1 a case failed or the result
could not be written; 2 usage error, or nothing selected; 128+n stopped by signal n.)";

constexpr double kMaxWarmUpSeconds = 3600;

// An option that takes one word of a few; `words` says what each stands for.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name,
                        const std::map<std::string, T>& words, T& value,
                        const std::string& description) {
  return app
      .add_option_function<std::string>(
          name, [words, &value](const std::string& word) { value = words.at(word); }, description)
      ->check(CLI::IsMember(words))
      ->type_name("WORD");
}

// "0.5", "0.5s" or "100x", as Google Benchmark 1.8 and later spell it.
std::string parse_min_time(const std::string& text, MeasureOptions& measure) {
  const std::string complaint = "expected seconds (0.5 or 0.5s) or a number of operations (100x)";
  const char* const end = text.data() + text.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view suffix(stop, static_cast<std::size_t>(end - stop));
  if (error != std::errc() || value < 0 || !(value < 1e12)) return complaint;
  if (suffix.empty() || suffix == "s") {
    measure.min_time_s = value;
    return "";
  }
  if (suffix == "x" && value >= 1 &&
      value == static_cast<double>(static_cast<std::uint64_t>(value))) {
    measure.min_ops = static_cast<std::uint64_t>(value);
    return "";
  }
  return complaint;
}

std::string parse_context(const std::string& text, std::map<std::string, std::string>& context) {
  for (const std::string& pair : CLI::detail::split(text, ',')) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return "expected key=value,key=value";
    context[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return "";
}

std::string check_capability(const std::string& name) {
  if (Capabilities::instance().contains(name)) return "";
  return fmt::format("no capability is called '{}'; 'bench probe' lists them", name);
}

std::string parse_required(const std::string& text, std::set<std::string>& required) {
  for (const std::string& name : CLI::detail::split(text, ',')) {
    if (name.empty()) continue;
    if (std::string complaint = check_capability(name); !complaint.empty()) return complaint;
    required.insert(name);
  }
  return "";
}

std::string check_allowed_cpu(const std::string& text) {
  const std::vector<int> allowed = allowed_cpus();
  int cpu = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), cpu);
  if (error == std::errc() && stop == text.data() + text.size() &&
      std::ranges::find(allowed, cpu) != allowed.end()) {
    return "";
  }
  return fmt::format("expected one of the CPUs this process may use: {}", fmt::join(allowed, ", "));
}

// Flags of this program's own.
void add_own_options(CLI::App& app, RunOptions& options) {
  add_choice<Suite>(app, "--suite", {{"default", Suite::kDefault}, {"full", Suite::kFull}},
                    options.suite, "cases that run without a filter");
  app.add_option("--cpu", options.cpu,
                 "CPU to measure on (default: the one with the fewest device "
                 "interrupts, and not CPU 0 if there is another)")
      ->check(CLI::Validator(check_allowed_cpu, "", ""))
      ->type_name("N");
  app.add_option("--order-seed", options.order_seed,
                 "shuffle the cases by this seed (default: as 'bench list' prints them)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app.add_option("--loads", options.measure.loads,
                 "fresh loads of each case, instead of as many as its plan says; with fewer than 6 "
                 "there is no interval")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  app.add_option("--label", options.label, "free text for the result file")->type_name("TEXT");
  app.add_option_function<std::string>(
         "--require",
         [&options](const std::string& text) {
           if (const std::string complaint = parse_required(text, options.required);
               !complaint.empty())
             throw CLI::ValidationError("--require", complaint);
         },
         "capabilities that must be there: a skip for want of one is a failure")
      ->type_name("NAME,...");
  if constexpr (kCanPlant) {
    app.add_option_function<std::vector<std::string>>(
           "--plant",
           [&options](const std::vector<std::string>& texts) {
             for (const std::string& text : texts) {
               if (const auto complaint = add_plant(text, options.plants)) {
                 throw CLI::ValidationError("--plant", *complaint);
               }
             }
           },
           "make the operation of this case slower by so many ns; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME=NS");
  }
  app.add_flag("--keep-rounds", options.measure.keep_samples,
               "put the time of every single batch into the result file");
  app.add_flag("--keep-samples", options.measure.keep_trial_samples,
               "put every single sample of a trial into the result file");
  app.add_flag("--histogram", options.histograms,
               "print distributions below their case, by powers of two");
  app.add_flag("--show-emulated", options.show_emulated,
               "show times although this machine is emulated and they mean nothing");
  app.add_flag("--drop-caches", options.measure.drop_caches,
               "drop the machine's file-system caches before each load; slows all processes down");
}

// Google Benchmark's flags, with the spellings of its newest version. Those that the library itself
// must see are passed on once they are known to be well-formed: it answers a bad value with exit 0.
void add_benchmark_options(CLI::App& app, RunOptions& options, bool& list_tests) {
  const std::string group = "Google Benchmark's flags";
  app.add_flag("--benchmark_list_tests", list_tests, "print the names that would run")
      ->group(group);
  app.add_option("--benchmark_filter", options.filter,
                 "regular expression (extended); a leading '-' inverts it")
      ->type_name("REGEX")
      ->group(group);
  app.add_option_function<std::string>(
         "--benchmark_min_time",
         [&options](const std::string& text) {
           if (const std::string complaint = parse_min_time(text, options.measure);
               !complaint.empty())
             throw CLI::ValidationError("--benchmark_min_time", complaint);
         },
         "measure longer than planned: seconds (0.5s) or operations (100x) at least")
      ->type_name("T")
      ->group(group);
  app.add_option_function<double>(
         "--benchmark_min_warmup_time",
         [&options](double seconds) {
           if (!(seconds >= 0 && seconds <= kMaxWarmUpSeconds)) {
             throw CLI::ValidationError(
                 "--benchmark_min_warmup_time",
                 fmt::format("expected seconds from 0 to {}", kMaxWarmUpSeconds));
           }
           options.measure.min_warm_up_s = seconds;
         },
         "seconds of untimed batches before each load is timed")
      ->type_name("S")
      ->group(group);
  app.add_option("--benchmark_repetitions", options.repetitions, "times that each case is run")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N")
      ->group(group);
  app.add_flag_function(
         "--benchmark_enable_random_interleaving", [](std::int64_t) {},
         "accepted; the loads of all cases are always interleaved")
      ->group(group);
  app.add_flag("--benchmark_display_aggregates_only,--benchmark_report_aggregates_only",
               options.display_aggregates_only,
               "show only mean, median, stddev, cv; the file always keeps the repetitions")
      ->group(group);
  add_choice<OutputFormat>(app, "--benchmark_format",
                           {{"console", OutputFormat::kConsole},
                            {"json", OutputFormat::kJson},
                            {"csv", OutputFormat::kCsv}},
                           options.format, "what goes to stdout")
      ->group(group);
  app.add_option("--benchmark_out", options.out_path, "write the result here, whole or not at all")
      ->type_name("FILE")
      ->group(group);
  add_choice<OutputFormat>(app, "--benchmark_out_format",
                           {{"json", OutputFormat::kJson}, {"csv", OutputFormat::kCsv}},
                           options.out_format, "form of that file")
      ->group(group);
  app.add_option("--benchmark_time_unit", options.time_unit, "unit of real_time and of the table")
      ->check(CLI::IsMember({"ns", "us", "ms", "s"}))
      ->type_name("UNIT")
      ->group(group);
  app.add_option_function<std::string>(
         "--benchmark_context",
         [&options](const std::string& text) {
           if (const std::string complaint = parse_context(text, options.context);
               !complaint.empty())
             throw CLI::ValidationError("--benchmark_context", complaint);
         },
         "additions to the file's context")
      ->type_name("K=V,...")
      ->group(group);
  app.add_flag("--benchmark_dry_run", options.measure.dry_run,
               "one load and the fewest batches: proves that cases run, says nothing about cost")
      ->group(group);
  app.add_option_function<std::string>(
         "--benchmark_color", [](const std::string&) {}, "accepted; the table has no colours")
      ->check(CLI::IsMember({"auto", "true", "false", "yes", "no", "1", "0"}))
      ->group(group);
  app.add_flag_function(
         "--benchmark_counters_tabular", [](std::int64_t) {},
         "accepted; the table is always tabular")
      ->group(group);
  app.add_option_function<std::string>(
         "--benchmark_perf_counters",
         [](const std::string&) {
           fmt::print(stderr,
                      "note: --benchmark_perf_counters is ignored: the library counts around its "
                      "own loop, and the timed loop is in the kernel\n");
         },
         "accepted and ignored, with a note")
      ->type_name("NAME,...")
      ->group(group);
  app.add_option_function<int>(
         "--v",
         [&options](int level) {
           options.library_arguments.push_back(fmt::format("--v={}", level));
         },
         "verbosity of the library's own log")
      ->type_name("N")
      ->group(group);
}

int list_selected(const Registry& registry, const RunOptions& options) {
  const auto selected = registry.select(options.filter, options.suite);
  if (!selected || selected->empty())
    return run_benchmarks(registry, options);  // says what is wrong
  for (const Case* c : *selected) fmt::print("{}\n", c->name);
  return kExitOk;
}

Subcommand add_list_command(CLI::App& app, const Registry& registry) {
  CLI::App* const list =
      app.add_subcommand("list", "print every case: name, question, floor, needs");
  const auto names_only = std::make_shared<bool>(false);
  const auto as_json = std::make_shared<bool>(false);
  auto* const names = list->add_flag("--names", *names_only, "names alone, one a line");
  list->add_flag("--json", *as_json, "as JSON")->excludes(names);
  list->footer("Examples:\n  bench list\n  bench list --names | grep lru\n  bench list --json");
  return {list,
          [&registry, names_only, as_json] { return run_list(registry, *names_only, *as_json); }};
}

Subcommand add_probe_command(CLI::App& app) {
  CLI::App* const probe = app.add_subcommand(
      "probe", "print what this kernel and process can do, with cause and remedy");
  const auto names = std::make_shared<std::vector<std::string>>();
  const auto as_json = std::make_shared<bool>(false);
  probe->add_option("NAME", *names, "of these capabilities only")
      ->check(check_capability)
      ->type_name("");
  probe->add_flag("--json", *as_json, "as JSON");
  probe->footer("Examples:\n  sudo bench probe\n  bench probe --json attach_fentry attach_kprobe");
  return {probe, [names, as_json] { return run_probe(*names, *as_json); }};
}

int parse_and_run(int argc, char** argv, const Registry& registry,
                  const std::vector<AddSubcommand>& additions, const AddRunFlags& add_run_flags) {
  CLI::App app("bench measures what eBPF costs on this machine.", "bench");
  app.footer(kFooter);
  app.set_version_flag("--version", [] {
    const nlohmann::ordered_json build = build_identity();
    return fmt::format("bench {} ({}, {}, {}, BPF by {}, libbpf {}, Google Benchmark {})",
                       build["version"].get<std::string>(), build["commit"].get<std::string>(),
                       build["build_type"].get<std::string>(), build["compiler"].get<std::string>(),
                       build["bpf_compiler"].get<std::string>(), build["libbpf"].get<std::string>(),
                       build["google_benchmark"].get<std::string>());
  });
  RunOptions options;
  options.arguments.assign(argv, argv + argc);
  bool list_tests = false;
  add_own_options(app, options);
  const AroundRun around = add_run_flags(app, registry);
  add_benchmark_options(app, options, list_tests);

  std::vector<Subcommand> subcommands = {add_list_command(app, registry), add_probe_command(app)};
  for (const AddSubcommand& add : additions) subcommands.push_back(add(app));
  app.require_subcommand(0, 1);

  // CLI11 takes a "--" for the end of a list of values, and then it is gone.
  char** const end = argv + argc;
  char** const mark =
      std::find_if(argv, end, [](const char* a) { return std::string_view(a) == "--"; });
  const std::vector<std::string> rest(mark == end ? end : mark + 1, end);
  try {
    app.parse(static_cast<int>(mark - argv), argv);
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    app.exit(success, text, text);
    fmt::print("{}", text.str());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "bench: {} ('bench --help' explains)\n", error.what());
    return kExitUsage;
  }
  const auto chosen = std::ranges::find_if(
      subcommands, [](const Subcommand& subcommand) { return bool(*subcommand.parser); });
  if (!rest.empty() && (chosen == subcommands.end() || chosen->rest == nullptr)) {
    fmt::print(stderr, "bench: nothing is expected after -- ('bench --help' explains)\n");
    return kExitUsage;
  }
  if (chosen != subcommands.end()) {
    if (chosen->rest != nullptr) *chosen->rest = rest;
    return chosen->run();
  }
  options.library_arguments.push_back(
      fmt::format("--benchmark_repetitions={}", options.repetitions));
  if (list_tests) return list_selected(registry, options);
  return around(options, [&] { return run_benchmarks(registry, options); });
}

}  // namespace

int run_program(int argc, char** argv, const Registry& registry,
                const std::vector<AddSubcommand>& additions, const AddRunFlags& add_run_flags) {
  // A limit on the size of files must be an error of the write, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  int status = kExitFailure;
  int errnum = 0;
  try {
    status = parse_and_run(argc, argv, registry, additions, add_run_flags);
    if (std::fflush(stdout) != 0) errnum = errno;
  } catch (const std::system_error& error) {  // how fmt tells of a print that failed
    errnum = error.code().value();
  }
  if (errnum == 0) return status;
  fmt::print(stderr, "bench: write to stdout: {}\n", std::strerror(errnum));
  return kExitFailure;
}

}  // namespace bpfmark
