#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

inline constexpr size_t kMostMemberId = 128, kMostRunId = 200;  // characters

// Whether `text` names a member, a run or a checkpoint: 1 to `most` letters, digits, '.', '_' and '-',
// beginning with neither '.' nor '-'. A name is one part of a path, no option, and is printed as it is.
bool IsName(absl::string_view text, size_t most);

// That rule in words, for messages.
std::string NameRule(size_t most);

}  // namespace lvrpo
