// SPDX-License-Identifier: BSD-2-Clause
// Echo cases over devices that are there already: two processes that know of each other no more
// than two machines do, and both ends of a cable in one.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fixtures/device_setup.h"
#include "fixtures/lent_device.h"
#include "fixtures/veth_pair.h"
#include "tests/smoke/bench_program.h"
#include "tests/support/leak_check.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The case that fits every place, at a hook.
std::string one_case(const std::string& hook) {
  return "echo_rtt/proto:udp/hook:" + hook + "/payload:13/think_us:0/wakeup:blocking/cpu:same";
}

// bench inside of a namespace. Its stdin is no pipe.
Result<Process> start_bench(const NetNs& place, std::vector<std::string> arguments,
                            const std::string& stdin_path = "/dev/null") {
  std::optional<Process> started;
  const Result<void> done = place.run([&]() -> Result<void> {
    Result<Process> process = Process::start(
        {.program = bench_path(), .arguments = std::move(arguments), .stdin_path = stdin_path});
    if (!process) return std::unexpected(process.error());
    started.emplace(std::move(*process));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return std::move(*started);
}

ProcessResult end_of(Result<Process>& process) {
  Result<ProcessResult> result = process->wait(kBenchTimeout);
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().what;
  return {};
}

ProcessResult run_bench_in(const NetNs& place, std::vector<std::string> arguments) {
  Result<Process> process = start_bench(place, std::move(arguments));
  if (process) return end_of(process);
  ADD_FAILURE() << process.error().what;
  return {};
}

// Whether a device can be lent as it is now, and if not, why.
Result<void> usable(const NetNs& place, const std::string& device) {
  return place.run([&]() -> Result<void> {
    const Result<LentDevice> lent = LentDevice::in_place(device);
    return lent ? Result<void>() : std::unexpected(lent.error());
  });
}

bool is_gone(const NetNs& place, const std::string& device) {
  const Result<void> found = usable(place, device);
  return !found && found.error().errnum == ENODEV;
}

class EchoHalves : public ::testing::Test {
 protected:
  void SetUp() override {
    BPFMARK_NEEDS_BPF();
    Result<VethPair> pair = VethPair::create();
    if (!pair) BPFMARK_SKIP_OR_FAIL(pair.error());
    pair_.emplace(std::move(*pair));
    before_ = Inventory::take();
  }

  void start_dut(const std::string& name, const std::string& peer = kClientAddresses.ipv4,
                 const std::string& stdin_path = "/dev/null") {
    Result<Process> started =
        start_bench(pair_->dut.net_ns,
                    {"--dut-if=dut", "--peer=" + peer, "--benchmark_filter=^" + name}, stdin_path);
    ASSERT_THAT(started, IsOk());
    dut_.emplace(std::move(started));
    ASSERT_TRUE((*dut_)->wait_for_stderr("answering " + name, kBenchTimeout));
  }

  ProcessResult end_dut(int signal) {
    (*dut_)->send(signal);
    return end_of(*dut_);
  }

  std::vector<std::string> client_arguments(const std::string& name) const {
    return {"--client-if=client", std::string("--peer=") + kDutAddresses.ipv4,
            "--benchmark_filter=^" + name};
  }

  ProcessResult run_client(const std::string& name) const {
    std::vector<std::string> arguments = client_arguments(name);
    arguments.insert(arguments.end(), {"--benchmark_dry_run", "--benchmark_format=json"});
    return run_bench_in(pair_->client.net_ns, std::move(arguments));
  }

  std::optional<VethPair> pair_;
  std::optional<Result<Process>> dut_;
  Inventory before_;
};

class EchoHalvesAt : public EchoHalves, public ::testing::WithParamInterface<const char*> {};

TEST_P(EchoHalvesAt, CountOnOneSideWhatTheOtherSent) {
  const std::string hook = GetParam();
  const std::string capability = "echo_" + hook;
  const nlohmann::json probed = parsed(run_bench({"probe", "--json", capability}).out);
  if (probed[0]["support"] != "supported") {
    BPFMARK_SKIP_OR_FAIL((Error{.kind = ErrorKind::kAbsent,
                                .what = probed[0]["cause"],
                                .remedy = probed[0]["remedy"],
                                .capability = capability}));
  }
  ASSERT_NO_FATAL_FAILURE(start_dut(one_case(hook)));
  const ProcessResult client = run_client(one_case(hook));
  ASSERT_THAT(client, ExitsWith(0));
  const nlohmann::json document = parsed(client.out);
  ASSERT_THAT(document["benchmarks"], SizeIs(1)) << client.out;
  const nlohmann::json row = document["benchmarks"][0];
  EXPECT_EQ(row["lost"], 0);
  EXPECT_EQ(row["mtu_bytes"], 1500);
  EXPECT_EQ(row["missing"][0]["cause"], "they are on another machine");
  EXPECT_EQ(document["context"]["bpfmark"]["devices"], "client, 198.19.0.1");
  const ProcessResult dut = end_dut(SIGINT);
  EXPECT_THAT(dut, ExitsWith(0));
  const auto saw = " saw " + std::to_string(row["requests"].get<std::uint64_t>());
  const std::string counts = hook == "socket"   ? "the server" + saw
                             : hook == "af_xdp" ? "the hook" + saw + ", the server" + saw
                                                : "the hook" + saw;
  EXPECT_EQ(dut.out, one_case(hook) + ": " + counts + "\n");
  EXPECT_THAT(left_behind(before_), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Hooks, EchoHalvesAt,
                         ::testing::Values("socket", "sk_skb", "tcx", "xdp_generic", "af_xdp"));

TEST_F(EchoHalves, KilledLeaveNothingAttached) {
  ASSERT_NO_FATAL_FAILURE(start_dut(one_case("xdp_generic")));
  EXPECT_THAT(usable(pair_->dut.net_ns, "dut"),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("has an XDP program already")));
  std::vector<std::string> arguments = client_arguments(one_case("xdp_generic"));
  arguments.emplace_back("--benchmark_min_time=60s");
  Result<Process> client = start_bench(pair_->client.net_ns, std::move(arguments));
  ASSERT_THAT(client, IsOk());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  client->send(SIGKILL);
  EXPECT_EQ(end_of(client).signal, SIGKILL);
  EXPECT_EQ(end_dut(SIGKILL).signal, SIGKILL);
  EXPECT_THAT(left_behind(before_), IsEmpty());
  for (const VethEnd* const end : {&pair_->client, &pair_->dut}) {
    EXPECT_THAT(usable(end->net_ns, end->device), IsOk());
  }
}

TEST_F(EchoHalves, ServerOfAnotherPeerIsNoAnswer) {
  ASSERT_NO_FATAL_FAILURE(start_dut(one_case("socket"), "198.18.0.77"));
  const ProcessResult client = run_client(one_case("socket"));
  EXPECT_THAT(client, ExitsWith(1));
  const nlohmann::json failures = parsed(client.out)["failures"];
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_THAT(failures[0]["error_message"].get<std::string>(),
              AllOf(HasSubstr("socket: more than 0.1 %"), HasSubstr("the client sent 1"),
                    HasSubstr("received 0"), HasSubstr("the other half tells"),
                    HasSubstr("Connection refused")));
  EXPECT_EQ(end_dut(SIGTERM).out, one_case("socket") + ": the server saw 0\n");
}

// Links of programs that came after `before`.
void detach_links_since(const Inventory& before) {
  for (const BpfObjectId& object : Inventory::take().bpf_objects) {
    if (object.kind != BpfKind::kLink || before.bpf_objects.contains(object)) continue;
    const UniqueFd link(bpf_link_get_fd_by_id(object.id));
    EXPECT_EQ(bpf_link_detach(link.get()), 0);
  }
}

// The client gives up after a second, and each half says what it knows of the requests.
TEST_F(EchoHalves, HookThatIsGoneIsNoAnswerAndIsNoticedByItsHalf) {
  const std::string open_loop =
      "echo_open_loop/proto:udp/hook:xdp_generic/payload:13/rate_kps:20/cpu:same";
  ASSERT_NO_FATAL_FAILURE(start_dut(open_loop));
  ASSERT_NO_FATAL_FAILURE(detach_links_since(before_));
  const ProcessResult client = run_client(open_loop);
  EXPECT_THAT(client, ExitsWith(1));
  EXPECT_THAT(client.out, HasSubstr("the client sent 32 and received 0"));
  const ProcessResult dut = end_dut(SIGTERM);
  EXPECT_THAT(dut, ExitsWith(1));
  EXPECT_EQ(dut.out, open_loop + ": the hook saw 0\n");
  EXPECT_THAT(dut.err, HasSubstr("past the hook"));
}

TEST_F(EchoHalves, EndOfAPipeAtStdinEndsTheDut) {
  const TemporaryDirectory directory;
  const std::string pipe = directory.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  UniqueFd held(::open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_NO_FATAL_FAILURE(start_dut(one_case("xdp_generic"), kClientAddresses.ipv4, pipe));
  held = UniqueFd();
  const ProcessResult dut = end_of(*dut_);
  EXPECT_THAT(dut, ExitsWith(0));
  EXPECT_EQ(dut.out, one_case("xdp_generic") + ": the hook saw 0\n");
}

TEST_F(EchoHalves, RefuseADeviceThatCannotBeUsed) {
  const std::vector<std::string> arguments = client_arguments(one_case("tcx"));
  const auto expect_refused = [&](const char* why) {
    const ProcessResult client = run_bench_in(pair_->client.net_ns, arguments);
    EXPECT_THAT(client, ExitsWith(2));
    EXPECT_EQ(client.err, std::string("bench: client ") + why + "\n");
  };
  const ProcessResult self =
      run_bench_in(pair_->client.net_ns, {arguments[0], "--peer=198.18.0.1", arguments[2]});
  EXPECT_THAT(self, ExitsWith(2));
  EXPECT_THAT(self.err, HasSubstr("is the address of client itself"));
  const ProcessResult both =
      run_bench_in(pair_->client.net_ns, {arguments[0], "--dut-if=lo", arguments[2]});
  EXPECT_THAT(both, ExitsWith(2));
  EXPECT_THAT(both.err, HasSubstr("client has an address, which it would lose"));
  const Result<void> down = pair_->dut.net_ns.run([&] { return set_up(pair_->dut, false); });
  ASSERT_THAT(down, IsOk());
  expect_refused("has no carrier: is the cable in?");
  ASSERT_THAT(pair_->client.net_ns.run([&] { return set_up(pair_->client, false); }), IsOk());
  expect_refused("is down");
}

// --- both ends of a cable

class EchoOverCable : public ::testing::Test {
 protected:
  // The ends of a veth pair without addresses, in one namespace.
  void SetUp() override {
    BPFMARK_NEEDS_BPF();
    Result<VethPair> pair = VethPair::create();
    if (!pair) BPFMARK_SKIP_OR_FAIL(pair.error());
    Result<NetNs> home = NetNs::create();
    ASSERT_THAT(home, IsOk());
    home_.emplace(std::move(*home));
    for (const VethEnd* const end : {&pair->client, &pair->dut}) {
      ASSERT_THAT(move_device(end->ifindex, end->net_ns, *home_), IsOk());
      ASSERT_THAT(home_->run([&] { return set_up(*end); }), IsOk());
    }
    before_ = Inventory::take();
  }

  std::optional<NetNs> home_;
  Inventory before_;
};

const std::vector<std::string> kBothEnds = {"--client-if=client", "--dut-if=dut"};

TEST_F(EchoOverCable, GivesNumbersAndTheDevicesBack) {
  std::vector<std::string> arguments = kBothEnds;
  arguments.insert(arguments.end(),
                   {"--benchmark_filter=echo_rtt/proto:(udp|tcp)/hook:(tc_clsact|xdp_native)/"
                    "payload:13/think_us:0/wakeup:blocking",
                    "--benchmark_dry_run", "--benchmark_format=json"});
  const ProcessResult run = run_bench_in(*home_, std::move(arguments));
  EXPECT_THAT(run, ExitsWith(0));
  const nlohmann::json document = parsed(run.out);
  EXPECT_THAT(document["benchmarks"], SizeIs(4)) << run.out;
  for (const nlohmann::json& row : document["benchmarks"]) EXPECT_EQ(row["lost"], 0);
  EXPECT_EQ(document["context"]["bpfmark"]["devices"], "client, dut");
  EXPECT_THAT(left_behind(before_), IsEmpty());
  // There, up, with a carrier and without an XDP program, but as it came: without an address.
  for (const char* const device : {"client", "dut"}) {
    EXPECT_THAT(usable(*home_, device),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("has no IPv4 address")));
  }
}

TEST_F(EchoOverCable, KilledLeavesNothing) {
  std::vector<std::string> arguments = kBothEnds;
  arguments.insert(arguments.end(),
                   {"--benchmark_filter=" + one_case("tc_clsact"), "--benchmark_min_time=60s"});
  Result<Process> process = start_bench(*home_, std::move(arguments));
  ASSERT_THAT(process, IsOk());
  // Once the devices are gone, the run has begun.
  for (int naps = 0; naps < 2000 && !is_gone(*home_, "dut"); ++naps) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  process->send(SIGKILL);
  EXPECT_EQ(end_of(process).signal, SIGKILL);
  EXPECT_THAT(left_behind(before_), IsEmpty());
  EXPECT_TRUE(is_gone(*home_, "dut"));
}

}  // namespace
}  // namespace bpfmark
