#include "common/files/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"

namespace lvrpo {
namespace {

constexpr char kGroups[] = "/sys/fs/cgroup";

// The process's control group, such as "/system.slice/run.scope"; "/" when it is not known, as in a
// container.
std::string OwnGroup() {
  const absl::StatusOr<std::string> groups = ReadFile("/proc/self/cgroup");
  if (!groups.ok()) return "/";
  for (absl::string_view line : absl::StrSplit(*groups, '\n')) {
    if (absl::ConsumePrefix(&line, "0::")) return std::string(line);
  }
  return "/";
}

}  // namespace

std::optional<int64_t> ParseMemoryMax(absl::string_view text) {
  int64_t bytes = 0;
  if (!absl::SimpleAtoi(text, &bytes) || bytes <= 0) return std::nullopt;
  return bytes;
}

std::optional<int64_t> MachineMemory() {
  std::optional<int64_t> least;
  const auto limit = [&](std::optional<int64_t> bytes) {
    if (bytes.has_value()) least = std::min(least.value_or(*bytes), *bytes);
  };
  const int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) limit(pages * page);
  for (std::string group = OwnGroup();; group = group.substr(0, group.rfind('/'))) {
    const absl::StatusOr<std::string> most = ReadFile(absl::StrCat(kGroups, group, "/memory.max"));
    if (most.ok()) limit(ParseMemoryMax(*most));
    if (group.find('/') == std::string::npos) break;
  }
  return least;
}

}  // namespace lvrpo
