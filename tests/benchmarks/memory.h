#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

// A line of /proc/PID/status in bytes: VmHWM is the largest memory so far, VmRSS that of now.
inline int64_t StatusBytes(const std::string& name, const std::string& pid = "self") {
  std::ifstream in(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(in, line);) {
    int64_t kib = 0;
    if (absl::StartsWith(line, name + ":") &&
        absl::SimpleAtoi(line.substr(name.size() + 1, line.size() - name.size() - 4), &kib))
      return kib * 1024;
  }
  return 0;
}

// From now on VmHWM is the largest memory since now.
inline void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace lvrpo
