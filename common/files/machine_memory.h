#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// Bytes of memory that this process can have at most: the machine's, or its control group's limit when that
// is lower (cgroup v2, memory.max of the group and of those above it). nullopt: unknown.
std::optional<int64_t> MachineMemory();

// The limit in the words of a memory.max file: nullopt for "max" and for what is no number.
std::optional<int64_t> ParseMemoryMax(absl::string_view text);

}  // namespace lvrpo
