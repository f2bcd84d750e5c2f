// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/leak_check.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "fixtures/unique_fd.h"

namespace bpfmark {
namespace {

struct KindOfObject {
  BpfKind kind;
  const char* name;
  const char* fdinfo_key;
  int (*next_id)(__u32, __u32*);
  int (*open)(__u32);
};

constexpr std::array kKinds{
    KindOfObject{BpfKind::kProgram, "program", "prog_id:", bpf_prog_get_next_id,
                 bpf_prog_get_fd_by_id},
    KindOfObject{BpfKind::kMap, "map", "map_id:", bpf_map_get_next_id, bpf_map_get_fd_by_id},
    KindOfObject{BpfKind::kBtf, "BTF object", "btf_id:", bpf_btf_get_next_id, bpf_btf_get_fd_by_id},
    KindOfObject{BpfKind::kLink, "link", "link_id:", bpf_link_get_next_id, bpf_link_get_fd_by_id},
};

const KindOfObject& kind_of(BpfObjectId object) {
  return *std::ranges::find(kKinds, object.kind, &KindOfObject::kind);
}

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> descriptors;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (!directory) return descriptors;
  while (const dirent* entry = ::readdir(directory.get())) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == ::dirfd(directory.get())) continue;
    std::error_code gone;
    descriptors[fd] =
        std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), gone).string();
  }
  return descriptors;
}

std::set<BpfObjectId> existing_bpf_objects() {
  std::set<BpfObjectId> objects;
  for (const KindOfObject& kind : kKinds) {
    for (__u32 id = 0; kind.next_id(id, &id) == 0;) objects.insert({kind.kind, id});
  }
  return objects;
}

void add_objects_of_descriptor(const std::filesystem::path& fdinfo,
                               std::set<BpfObjectId>& objects) {
  std::ifstream file(fdinfo);
  std::uint32_t id = 0;
  for (std::string word; file >> word;) {
    const auto* const kind = std::ranges::find(kKinds, word, &KindOfObject::fdinfo_key);
    if (kind != kKinds.end() && file >> id) objects.insert({kind->kind, id});
  }
}

std::set<BpfObjectId> objects_of_other_processes() {
  std::set<BpfObjectId> objects;
  const std::string own = std::to_string(::getpid());
  std::error_code gone;  // processes come and go while we look
  for (const auto& process : std::filesystem::directory_iterator("/proc", gone)) {
    const std::string pid = process.path().filename();
    if (pid == own || pid.find_first_not_of("0123456789") != pid.npos) continue;
    for (const auto& fdinfo :
         std::filesystem::directory_iterator(process.path() / "fdinfo", gone)) {
      add_objects_of_descriptor(fdinfo.path(), objects);
    }
  }
  return objects;
}

std::string name_of(BpfObjectId object) {
  const UniqueFd fd(kind_of(object).open(object.id));
  if (!fd) return "";
  if (object.kind == BpfKind::kProgram) {
    bpf_prog_info info{};
    __u32 length = sizeof(info);
    return bpf_prog_get_info_by_fd(fd.get(), &info, &length) == 0 ? info.name : "";
  }
  if (object.kind == BpfKind::kMap) {
    bpf_map_info info{};
    __u32 length = sizeof(info);
    return bpf_map_get_info_by_fd(fd.get(), &info, &length) == 0 ? info.name : "";
  }
  if (object.kind == BpfKind::kLink) {
    bpf_link_info info{};
    __u32 length = sizeof(info);
    if (bpf_link_get_info_by_fd(fd.get(), &info, &length) != 0) return "";
    return fmt::format("of program {}", info.prog_id);
  }
  std::array<char, 128> name{};
  bpf_btf_info info{};
  info.name = reinterpret_cast<std::uintptr_t>(name.data());
  info.name_len = name.size();
  __u32 length = sizeof(info);
  return bpf_btf_get_info_by_fd(fd.get(), &info, &length) == 0 ? name.data() : "";
}

// Of `suspects`, those that still exist and that nobody else has open.
std::set<BpfObjectId> still_ours(const std::set<BpfObjectId>& suspects) {
  const std::set<BpfObjectId> now = existing_bpf_objects();
  std::set<BpfObjectId> left;
  std::ranges::set_intersection(suspects, now, std::inserter(left, left.end()));
  if (left.empty()) return left;
  const std::set<BpfObjectId> foreign = objects_of_other_processes();
  std::erase_if(left, [&](BpfObjectId object) { return foreign.contains(object); });
  return left;
}

}  // namespace

Inventory Inventory::take() { return {open_descriptors(), existing_bpf_objects()}; }

std::vector<std::string> left_behind(const Inventory& before, std::chrono::milliseconds patience) {
  // Objects that come later than this first look are not the work of what is being judged, so that
  // another process which loads without pause cannot be blamed on it.
  const Inventory after = Inventory::take();
  std::set<BpfObjectId> objects;
  std::ranges::set_difference(after.bpf_objects, before.bpf_objects,
                              std::inserter(objects, objects.end()));
  const auto deadline = std::chrono::steady_clock::now() + patience;
  objects = still_ours(objects);
  while (!objects.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    objects = still_ours(objects);
  }

  std::vector<std::string> lines;
  for (const auto& [fd, target] : after.descriptors) {
    const auto known = before.descriptors.find(fd);
    if (known != before.descriptors.end() && known->second == target) continue;
    lines.push_back(fmt::format("descriptor {}: {}", fd, target));
  }
  for (const BpfObjectId object : objects) {
    lines.push_back(fmt::format("{} {}: \"{}\"", kind_of(object).name, object.id, name_of(object)));
  }
  return lines;
}

void LeakListener::OnTestStart(const ::testing::TestInfo& /*info*/) { before_ = Inventory::take(); }

void LeakListener::OnTestEnd(const ::testing::TestInfo& /*info*/) {
  const std::vector<std::string> lines = left_behind(before_);
  if (!lines.empty())
    ADD_FAILURE() << "left behind:\n" << fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace bpfmark
