// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/tune_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

namespace bpfmark {
namespace {

using nlohmann::json;

std::string line_of(const TunedSetting& setting) {
  const json line = {
      {"path", setting.path}, {"former", setting.former}, {"wanted", setting.wanted}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<std::vector<TunedSetting>> parse_settings(const std::string& text, const std::string& path) {
  std::vector<TunedSetting> settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const json entry = json::parse(line, nullptr, false);
    const auto field = [&entry](const char* key) {
      return entry.is_object() && entry.contains(key) && entry[key].is_string()
                 ? entry[key].get<std::string>()
                 : std::string();
    };
    TunedSetting setting{field("path"), field("former"), field("wanted")};
    if (setting.path.empty()) {
      return wrong_result(
          fmt::format("{}: line {} is no record of a setting", path, settings.size() + 1));
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, fmt::format("write {}", path));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return system_error(errno, fmt::format("write {}", path));
  return {};
}

}  // namespace

Result<TuneState> TuneState::open(const std::string& path) {
  if (const auto directory = std::filesystem::path(path).parent_path(); !directory.empty()) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return system_error(error.value(), fmt::format("create {}", directory.string()));
  }
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error(errno, fmt::format("open {}", path));
  TuneState state(path, File(::fdopen(fd, "a+")));
  struct stat held{}, named{};
  // Who removed the record in between has another file locked.
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 || ::fstat(fd, &held) != 0 ||
      ::stat(path.c_str(), &named) != 0 || held.st_ino != named.st_ino) {
    return wrong_result(fmt::format("{}: another bench tune or untune is at work", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // A last line without an end was being written when the program was killed, so what it speaks of
  // was not changed yet.
  const std::size_t whole = text.rfind('\n') + 1;
  if (whole < text.size()) {
    if (::ftruncate(fd, static_cast<off_t>(whole)) != 0) {
      return system_error(errno, fmt::format("write {}", path));
    }
    text.resize(whole);
  }
  Result<std::vector<TunedSetting>> settings = parse_settings(text, path);
  if (!settings) return std::unexpected(settings.error());
  state.settings_ = std::move(*settings);
  return state;
}

Result<void> TuneState::add(const TunedSetting& setting) {
  if (Result<void> written = write_all(::fileno(file_.get()), line_of(setting), path_); !written) {
    return written;
  }
  settings_.push_back(setting);
  return {};
}

// Renamed over the old one: no moment without the former values.
Result<void> TuneState::replace(std::vector<TunedSetting> settings) {
  if (settings.empty()) {
    if (::unlink(path_.c_str()) != 0) return system_error(errno, fmt::format("remove {}", path_));
  } else {
    std::string text;
    for (const TunedSetting& setting : settings) text += line_of(setting);
    const std::string fresh = path_ + ".new";
    const File file(std::fopen(fresh.c_str(), "we"));
    if (!file) return system_error(errno, fmt::format("write {}", fresh));
    if (Result<void> written = write_all(::fileno(file.get()), text, fresh); !written) {
      return written;
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0) {
      return system_error(errno, fmt::format("replace {}", path_));
    }
  }
  settings_ = std::move(settings);
  return {};
}

}  // namespace bpfmark
