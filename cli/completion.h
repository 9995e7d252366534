#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "cli/local/process.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// All commands of `lvrpo`, as FlagTree (common/flags/flag_checks.h) gives them: `own` (lvrpo's), where each
// forwarded command has the options that its binary in `folder` tells; without that binary, none.
nlohmann::json WholeTree(const nlohmann::json& own, const std::string& folder);

// Scripts that complete commands, options and the values that an option is one of; file names elsewhere.
// Pure.
std::string BashCompletion(const nlohmann::json& tree);
std::string ZshCompletion(const nlohmann::json& tree);

}  // namespace lvrpo
