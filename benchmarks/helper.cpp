// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one call of a helper or a kernel function (kfunc); or a pair of calls, the
// second
//                   of which undoes the first, which the name says.
// Timed region:     a batch inside a program of the type that may call it.
// Floor:            the same loop, with the same preparations, without the call.
// Does not measure: clocks (clock/read), copies (copy), maps; packets other than one of 64 bytes.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/crypto.h"
#include "bpf/shared/helper.h"
#include "crypto.skel.h"
#include "fixtures/loopback_socket.h"
#include "fixtures/perf_output.h"
#include "harness/program_type.h"
#include "helper.skel.h"
#include "kfunc.skel.h"

namespace bpfmark {
namespace {

// --- what user space knows of the answers

constexpr std::uint64_t kUserWord = 0x1122334455667788;

// A program reads only what is present. Not const: pages of the executable's file may not be, while
// one that was written stays.
struct UserMemory {
  std::uint64_t word;
  char string[BPFMARK_STRING_BYTES];
};
UserMemory user_memory;

template <std::uint64_t value>
std::uint64_t constant() {
  return value;
}

std::uint64_t own_cpu() { return static_cast<std::uint64_t>(::sched_getcpu()); }

std::uint64_t own_node() {
  unsigned node = 0;
  ::getcpu(nullptr, &node);
  return node;
}

std::uint64_t own_ids() {
  return std::uint64_t{static_cast<std::uint32_t>(::getpid())} << 32 |
         static_cast<std::uint32_t>(::gettid());
}

std::uint64_t own_process() { return static_cast<std::uint32_t>(::getpid()); }

std::uint64_t own_users() { return std::uint64_t{::getgid()} << 32 | ::getuid(); }

std::uint64_t own_comm() {
  char comm[16] = {};
  ::prctl(PR_GET_NAME, comm);
  std::uint64_t word = 0;
  std::memcpy(&word, comm, sizeof(word));
  return word;
}

// A one's complement sum, folded to 16 bits.
std::uint32_t folded(std::uint64_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(sum);
}

// Newer kernels fold the sum themselves.
Result<void> check_checksums(const bpfmark_batch_result& result) {
  std::uint64_t expected = 0;
  for (std::uint64_t i = 1; i <= BPFMARK_CSUM_BYTES / 8; ++i) expected += i;
  if (result.sum % result.ops == 0 && folded(result.sum / result.ops) == folded(expected))
    return {};
  return wrong_result(fmt::format("the checksums add up to {} instead of {} times {}", result.sum,
                                  result.ops, expected));
}

// Uniform 32-bit numbers have the mean 2^31 and the deviation 2^32 / sqrt(12); 10 deviations of the
// mean do not happen.
Result<void> check_random(const bpfmark_batch_result& result) {
  const auto ops = static_cast<double>(result.ops);
  const double mean = static_cast<double>(result.sum) / ops;
  if (std::abs(mean - 0x1p31) < 10 * 0x1p32 / std::sqrt(12 * ops)) return {};
  return wrong_result(
      fmt::format("the mean of {} random numbers is {} instead of about 2^31", result.ops, mean));
}

// The packet of a test-run carries the checksum of all its bytes. BPF_F_TEST_SKB_CHECKSUM_COMPLETE,
// which older headers of the kernel lack.
constexpr std::uint32_t kChecksumComplete = 1u << 2;

using Answer = std::uint64_t (*)();
using Check = Result<void> (*)(const bpfmark_batch_result&);

struct Called {
  const char* name;     // in the name of the case
  const char* program;  // without h_, k_ and f_
  const char* what;
  const char* type;
  const char* first_kernel;
  unsigned about_ns;
  Answer answer = nullptr;  // that every call must give
  Check check = nullptr;    // where they differ; neither: every call must be a success
  Suite suite = Suite::kFull;
  const char* needs = nullptr;  // a capability besides
  std::uint32_t run_flags = 0;  // of its test-run
};

constexpr Suite kHidden = Suite::kFull;
constexpr Suite kShown = Suite::kDefault;

const Called kHelpers[] = {
    {"get_smp_processor_id", "cpu_id", "bpf_get_smp_processor_id()", "tc", "4.1", 1, own_cpu,
     nullptr, kShown},
    {"get_numa_node_id", "numa_node", "bpf_get_numa_node_id()", "tc", "4.10", 3, own_node},
    {"jiffies64", "jiffies", "bpf_jiffies64()", "tc", "5.6", 2},
    {"get_prandom_u32", "prandom", "bpf_get_prandom_u32()", "tc", "4.1", 8, nullptr, check_random,
     kShown},
    {"get_current_pid_tgid", "pid_tgid", "bpf_get_current_pid_tgid()", "raw_tp", "4.2", 2, own_ids},
    {"get_current_uid_gid", "uid_gid", "bpf_get_current_uid_gid()", "raw_tp", "4.2", 4, own_users},
    {"get_current_cgroup_id", "cgroup_id", "bpf_get_current_cgroup_id()", "raw_tp", "4.18", 4},
    {"get_current_task", "task", "bpf_get_current_task()", "raw_tp", "4.8", 2, constant<0xffff>},
    {"get_current_comm", "comm", "bpf_get_current_comm()", "raw_tp", "4.2", 8, own_comm},
    {"probe_read_user", "read_user", "bpf_probe_read_user() of 8 bytes", "raw_tp", "5.5", 15,
     constant<kUserWord>, nullptr, kShown},
    {"probe_read_user_str", "read_user_str", "bpf_probe_read_user_str() of 16 bytes", "raw_tp",
     "5.5", 25, constant<BPFMARK_STRING_BYTES>},
    {"probe_read_kernel_str", "read_kern_str", "bpf_probe_read_kernel_str() of 16 bytes", "raw_tp",
     "5.5", 25, constant<BPFMARK_STRING_BYTES>},
    {"copy_from_user", "copy_user", "bpf_copy_from_user() of 8 bytes", "syscall", "5.14", 20,
     constant<kUserWord>},
    {"strncmp", "strncmp", "bpf_strncmp() of 16 equal bytes", "tc", "5.17", 10, constant<0>},
    {"strtoul", "strtoul", "bpf_strtoul() of 6 digits", "tc", "6.0", 25, constant<BPFMARK_NUMBER>},
    {"snprintf", "snprintf", "bpf_snprintf() of two numbers", "tc", "5.13", 200,
     constant<sizeof(BPFMARK_PRINTED)>},
    {"csum_diff", "csum_diff", "bpf_csum_diff() of 64 bytes", "tc", "4.6", 10, nullptr,
     check_checksums},
    {"loop", "loop", "bpf_loop() of 64 counting passes", "tc", "5.17", 120,
     constant<BPFMARK_WALKED>},
    {"for_each_map_elem", "for_each", "bpf_for_each_map_elem() over an array of 64", "tc", "5.13",
     400, constant<BPFMARK_WALKED>},
    {"find_vma", "find_vma", "bpf_find_vma()", "raw_tp", "5.17", 100, constant<1>},
    {"get_stackid", "stackid", "bpf_get_stackid()", "raw_tp", "4.18", 800},
    {"get_stack", "stack", "bpf_get_stack() of 8 frames", "raw_tp", "4.18", 600},
    {"perf_event_output", "perf_output", "bpf_perf_event_output() of 64 bytes", "raw_tp", "4.17",
     150, constant<0>},
    {"spin_lock_pair", "spin_lock", "bpf_spin_lock() and bpf_spin_unlock()", "tc", "5.1", 15,
     constant<1>},
    {"timer_set_start_cancel", "timer",
     "bpf_timer_set_callback(), bpf_timer_start() and bpf_timer_cancel()", "tc", "5.15", 200,
     constant<1>, nullptr, kShown},
    {"skb_vlan_pair", "vlan_pair", "bpf_skb_vlan_push() and bpf_skb_vlan_pop()", "tc", "4.3", 100,
     constant<0>, nullptr, kShown},
    {"l3_csum_replace_pair", "l3_csum_pair", "a pair of bpf_l3_csum_replace()", "tc", "4.1", 30,
     constant<0>},
    {"l4_csum_replace_pair", "l4_csum_pair", "a pair of bpf_l4_csum_replace()", "tc", "4.1", 30,
     constant<0>},
    {"csum_level_pair", "csum_level", "bpf_csum_level() up and down", "tc", "5.8", 8, constant<0>},
    {"csum_update_pair", "csum_update", "a pair of bpf_csum_update()", "tc", "4.5", 8, nullptr,
     nullptr, kHidden, "test_run_csum_complete", kChecksumComplete},
    {"skb_change_tail_pair", "skb_tail_pair", "bpf_skb_change_tail() by 16 bytes and back", "tc",
     "4.9", 80, constant<0>},
    {"skb_adjust_room_pair", "skb_room_pair", "bpf_skb_adjust_room() by 16 bytes and back", "tc",
     "4.13", 100, constant<0>},
    {"skb_pull_data", "skb_pull_data", "bpf_skb_pull_data()", "tc", "4.9", 8, constant<0>},
    {"skb_hash_pair", "skb_hash_pair", "bpf_set_hash_invalid() and bpf_get_hash_recalc()", "tc",
     "4.8", 100},
    {"get_socket_cookie", "socket_cookie", "bpf_get_socket_cookie()", "tc", "4.12", 5},
    {"redirect_tc", "redirect_tc", "bpf_redirect() in TC", "tc", "4.2", 4, constant<7>},
    {"fib_lookup", "fib_lookup", "bpf_fib_lookup() of the loopback address", "tc", "4.18", 150,
     constant<BPF_FIB_LKUP_RET_NOT_FWDED>, nullptr, kHidden, "ip_forwarding"},
    {"sk_lookup_udp_pair", "sk_lookup", "bpf_sk_lookup_udp() and bpf_sk_release()", "tc", "4.20",
     100},
    {"check_mtu", "check_mtu", "bpf_check_mtu()", "tc", "5.12", 20, constant<0>},
    {"xdp_adjust_head_pair", "xdp_head_pair", "bpf_xdp_adjust_head() by 16 bytes and back", "xdp",
     "4.10", 10, constant<0>},
    {"xdp_adjust_tail_pair", "xdp_tail_pair", "bpf_xdp_adjust_tail() by 16 bytes and back", "xdp",
     "5.8", 20, constant<0>},
    {"xdp_adjust_meta_pair", "xdp_meta_pair", "bpf_xdp_adjust_meta() by 16 bytes and back", "xdp",
     "4.15", 10, constant<0>},
    {"xdp_get_buff_len", "xdp_buff_len", "bpf_xdp_get_buff_len()", "xdp", "5.18", 4, constant<64>},
    {"redirect_xdp", "redirect_xdp", "bpf_redirect() in XDP", "xdp", "4.8", 4, constant<4>},
};

const Called kKfuncs[] = {
    {"dynptr_size", "dynptr_size", "bpf_dynptr_size()", "tc", "6.5", 2,
     constant<BPFMARK_STRING_BYTES>},
    {"strlen", "strlen", "bpf_strlen() of 15 bytes", "tc", "6.17", 15,
     constant<BPFMARK_STRING_BYTES - 1>},
    {"strcmp", "strcmp", "bpf_strcmp() of 15 equal bytes", "tc", "6.17", 20, constant<0>},
    {"rcu_read_lock_pair", "rcu_pair", "bpf_rcu_read_lock() and bpf_rcu_read_unlock()", "syscall",
     "6.2", 2, constant<1>},
    {"preempt_disable_pair", "preempt_pair", "bpf_preempt_disable() and bpf_preempt_enable()", "tc",
     "6.10", 2, constant<1>},
    {"local_irq_save_pair", "irq_pair", "bpf_local_irq_save() and bpf_local_irq_restore()", "tc",
     "6.14", 10, constant<1>},
    {"res_spin_lock_pair", "res_spin_lock", "bpf_res_spin_lock() and bpf_res_spin_unlock()", "tc",
     "6.15", 20, constant<1>},
    {"obj_new_pair", "obj_pair", "bpf_obj_new() and bpf_obj_drop()", "tc", "6.2", 50, constant<1>},
    {"cpumask_create_pair", "cpumask_pair", "bpf_cpumask_create() and bpf_cpumask_release()",
     "syscall", "6.3", 60, constant<1>},
    {"task_acquire_pair", "task_acquire", "bpf_task_acquire() and bpf_task_release()", "syscall",
     "6.2", 15, own_process},
    {"task_from_pid_pair", "task_from_pid", "bpf_task_from_pid() and bpf_task_release()", "syscall",
     "6.2", 30, own_process},
};

constexpr const char* kCipher = "cipher_ecb_aes";

const Called kCiphers[] = {
    {"crypto_encrypt", "encrypt", "bpf_crypto_encrypt() of 64 bytes by AES-128-ECB", "tc", "6.10",
     500, nullptr, nullptr, kShown, kCipher},
    {"crypto_decrypt", "decrypt", "bpf_crypto_decrypt() of 64 bytes by AES-128-ECB", "tc", "6.10",
     500, nullptr, nullptr, kHidden, kCipher},
};

TestRunInput input_of(const Called& called) {
  TestRunInput input = find_program_type(called.type)->input();
  input.flags = called.run_flags;
  return input;
}

ResultCheck check_of(const Called& called) {
  return [&called](const bpfmark_batch_result& result) -> Result<void> {
    if (called.answer != nullptr) return every_operation_finds(called.answer())(result);
    if (Result<void> right = every_operation_hits()(result); !right) return right;
    return called.check == nullptr ? Result<void>{} : called.check(result);
  };
}

// Counts the records of a batch by the bytes that they take in the ring.
ResultCheck check_output(std::shared_ptr<PerfOutput> output) {
  return [output, before = output->written_bytes()](
             const bpfmark_batch_result& result) mutable -> Result<void> {
    const std::uint64_t written =
        output->written_bytes() - std::exchange(before, output->written_bytes());
    // A header of 8 bytes, the size of 4, the 64 bytes, and 4 to be aligned.
    constexpr std::uint64_t kRecordBytes = 80;
    if (written != result.ops * kRecordBytes) {
      return wrong_result(fmt::format("{} bytes are in the ring instead of {}", written,
                                      result.ops * kRecordBytes));
    }
    return every_operation_finds(0)(result);
  };
}

Result<TwinChecks> prepare_helper(const Called& called, helper_bpf& object) {
  user_memory = {.word = kUserWord, .string = BPFMARK_STRING};
  object.bss->user_address = reinterpret_cast<std::uintptr_t>(&user_memory.word);
  object.bss->user_string = reinterpret_cast<std::uintptr_t>(user_memory.string);
  for (std::uint64_t i = 0; i < BPFMARK_CSUM_BYTES / 8; ++i) object.bss->csum_data[i] = i + 1;
  TwinChecks checks{.subject = check_of(called), .floor = every_operation_finds(1)};
  if (std::string_view(called.program) == "sk_lookup") {
    Result<LoopbackSocket> created = LoopbackSocket::create();
    if (!created) return std::unexpected(created.error());
    const auto socket = std::make_shared<LoopbackSocket>(std::move(*created));
    object.bss->udp_port = htons(socket->port);
    checks.subject = [socket](const bpfmark_batch_result& result) {
      return every_operation_finds(socket->port)(result);
    };
  }
  if (std::string_view(called.program) != "perf_output") return checks;
  const int cpu = ::sched_getcpu();
  Result<PerfOutput> output = PerfOutput::create(cpu);
  if (!output) return std::unexpected(output.error());
  const int fd = output->fd();
  const int err = bpf_map__update_elem(object.maps.events, &cpu, sizeof(cpu), &fd, sizeof(fd), 0);
  if (err != 0) return system_error(-err, "put a perf event into its map");
  checks.subject = check_output(std::make_shared<PerfOutput>(std::move(*output)));
  return checks;
}

Result<TwinChecks> prepare_kfunc(const Called& called, kfunc_bpf& object) {
  object.bss->own_pid = ::getpid();
  return TwinChecks{.subject = check_of(called), .floor = every_operation_finds(1)};
}

// --- the cipher: the example of FIPS 197, C.1, with the same block in all places

using Block = std::array<std::uint8_t, BPFMARK_CIPHER_BLOCK_BYTES>;

constexpr Block kKey{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                     0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
constexpr Block kPlain{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
constexpr Block kSecret{0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
                        0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};

using Text = std::array<std::uint64_t, BPFMARK_CRYPTO_BYTES / 8>;

Text text_of(const Block& block) {
  Text text{};
  for (std::size_t first = 0; first < sizeof(text); first += block.size()) {
    std::memcpy(reinterpret_cast<std::byte*>(text.data()) + first, block.data(), block.size());
  }
  return text;
}

Result<void> make_cipher(crypto_bpf& object) {
  auto* const bss = object.bss;
  std::memcpy(bss->params.type, "skcipher", sizeof("skcipher"));
  std::memcpy(bss->params.algo, "ecb(aes)", sizeof("ecb(aes)"));
  std::ranges::copy(kKey, bss->params.key);
  bss->params.key_len = kKey.size();
  std::ranges::copy(text_of(kPlain), bss->plain);
  std::ranges::copy(text_of(kSecret), bss->secret);
  const TestRun maker(bpf_program__fd(object.progs.make_cipher),
                      find_program_type("syscall")->input());
  const Result<TestRunOutcome> made = maker.run(0);
  if (!made) return std::unexpected(made.error());
  if (made->retval == 0) return {};
  return system_error(-bss->crypto_error, "make a cipher of ecb(aes)");
}

Result<TwinChecks> prepare_cipher(const Called& called, crypto_bpf& object) {
  if (Result<void> made = make_cipher(object); !made) return std::unexpected(made.error());
  const bool encrypts = std::string_view(called.program) == "encrypt";
  const Text expected = text_of(encrypts ? kSecret : kPlain);
  return TwinChecks{.subject = [expected, output = object.bss->output](
                                   const bpfmark_batch_result& result) -> Result<void> {
                      if (!std::ranges::equal(expected, std::span(output, expected.size()))) {
                        return wrong_result("the cipher's output is not that of FIPS 197");
                      }
                      return every_operation_finds(expected[0])(result);
                    },
                    .floor = every_operation_finds(1)};
}

ProbeResult probe_cipher() {
  Result<Skeleton<crypto_bpf>> skeleton = open_programs<crypto_bpf>({"make_cipher"});
  Result<void> made = skeleton ? skeleton->load() : Result<void>(std::unexpected(skeleton.error()));
  if (made) made = make_cipher(*skeleton->get());
  return classify(made, "6.10", "CONFIG_CRYPTO_ECB");
}

ProbeResult probe_checksum_complete() {
  const std::string name = "h_csum_update";
  Result<Skeleton<helper_bpf>> skeleton = open_programs<helper_bpf>({name});
  Result<void> ran = skeleton ? skeleton->load() : Result<void>(std::unexpected(skeleton.error()));
  if (ran) {
    TestRunInput input = find_program_type("tc")->input();
    input.flags = kChecksumComplete;
    if (const auto outcome = TestRun(program_fd(*skeleton, name), input).run(1); !outcome) {
      ran = std::unexpected(outcome.error());
    }
  }
  return classify(ran, "6.17", "");
}

// bpf_fib_lookup() looks nothing up for a device that does not forward.
ProbeResult probe_forwarding() {
  const char* const path = "/proc/sys/net/ipv4/conf/lo/forwarding";
  int forwarding = 0;
  if (!(std::ifstream(path) >> forwarding)) {
    return {Support::kAbsent, std::string("no ") + path, "needs CONFIG_INET=y"};
  }
  if (forwarding == 0) {
    return {Support::kAbsent, "the loopback device does not forward IPv4",
            "sysctl net.ipv4.conf.lo.forwarding=1"};
  }
  return {Support::kSupported, "", ""};
}

template <class S>
void register_called(Registry& registry, Capabilities& capabilities, std::span<const Called> list,
                     const std::string& kind, Result<TwinChecks> (*prepare)(const Called&, S&),
                     void (*knobs)(S&) = nullptr) {
  const std::string prefix = kind.substr(0, 1) + "_";
  for (const Called& called : list) {
    const std::string capability = fmt::format("{}_{}", kind, called.name);
    capabilities.add({capability,
                      fmt::format("load a {} program that calls {}", called.type, called.what),
                      [&called, prefix] {
                        return probe_program<S>(prefix + called.program, called.first_kernel);
                      }});
    std::vector<std::string> needs = {fmt::format("test_run_{}", called.type), "loop_bpf_loop",
                                      capability, "jit"};
    if (called.needs != nullptr) needs.emplace_back(called.needs);
    registry.add({.name = fmt::format("helper/name:{}", called.name),
                  .question = fmt::format("What does {} cost?", called.what),
                  .floor = "the same loop without the call",
                  .needs = std::move(needs),
                  .suite = called.suite,
                  .plan = plan_for(called.about_ns),
                  .load = [&called, prefix, prepare, knobs] {
                    return load_twin<S>({prefix + called.program,
                                         std::string("f_") + called.program, input_of(called)},
                                        knobs, [&](S& object) { return prepare(called, object); });
                  }});
  }
}

}  // namespace

void register_helper(Registry& registry, Capabilities& capabilities) {
  capabilities.add({"ip_forwarding", "the loopback device forwards IPv4", probe_forwarding});
  capabilities.add({"test_run_csum_complete",
                    "run a tc program on a packet that carries the checksum of all its bytes",
                    probe_checksum_complete});
  capabilities.add({kCipher, "make a cipher of ecb(aes) in a program", probe_cipher});
  register_called<helper_bpf>(registry, capabilities, kHelpers, "helper", prepare_helper);
  register_called<kfunc_bpf>(registry, capabilities, kKfuncs, "kfunc", prepare_kfunc);
  register_called<crypto_bpf>(
      registry, capabilities, kCiphers, "kfunc", prepare_cipher,
      [](crypto_bpf& object) { bpf_program__set_autoload(object.progs.make_cipher, true); });
}

}  // namespace bpfmark
