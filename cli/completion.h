#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "cli/local/process.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// All commands of `lvrpo`, as FlagTree (common/flags/flag_checks.h) gives them: `own` (lvrpo's), with the
// options of forwarded commands as their binary in `folder` prints them; none without that binary.
nlohmann::json WholeTree(const nlohmann::json& own, const std::string& folder);

// Scripts that complete commands, options and the values that an option is one of; file names elsewhere.
// Pure.
std::string BashCompletion(const nlohmann::json& tree);
std::string ZshCompletion(const nlohmann::json& tree);

}  // namespace lvrpo
