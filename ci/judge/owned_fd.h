// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <unistd.h>

namespace bpfmark {

// Closes its descriptor at the end of its scope; -1 means "none".
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace bpfmark
