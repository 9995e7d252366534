#pragma once

#include <algorithm>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"

namespace lvrpo {

// The processor, and those of its instruction sets that the measured code may use; the load says how quiet
// the machine is.
inline std::string DescribeMachine() {
  const std::string info = ReadFile("/proc/cpuinfo").value_or("");
  std::string model = "unknown processor";
  std::vector<std::string> sets;
  for (const absl::string_view line : absl::StrSplit(info, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (parts.size() < 2) continue;
    if (absl::StartsWith(line, "model name")) model = std::string(parts[1]);
    if (!absl::StartsWith(line, "flags") || !sets.empty()) continue;
    for (const absl::string_view flag : absl::StrSplit(parts[1], ' ')) {
      if (flag == "avx2" || flag == "avx512f" || flag == "sha_ni" || flag == "pclmulqdq" ||
          flag == "avx512_bf16")
        sets.emplace_back(flag);
    }
  }
  const std::string load = ReadFile("/proc/loadavg").value_or("? ");
  return absl::StrCat("machine: ", std::thread::hardware_concurrency(), " cores, ", model, " (",
                      absl::StrJoin(sets, " "), "), load ", load.substr(0, load.find(' ')));
}

}  // namespace lvrpo
