#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "verifiers/rules/bounded_json.h"

// Reading JSON that another machine answered: nothing in it is trusted. Errors are Internal, one clause that
// follows the name of who answered. Pure functions.
namespace lvrpo {

// An object within the bounds. A text that is no JSON only for what MendJson mends is read as that mends it.
absl::StatusOr<nlohmann::json> ParseRemoteJson(absl::string_view text, const JsonBounds& bounds);

// A number, or a string that spells one, which may be infinite or no number then; nullopt for everything
// else.
std::optional<double> RemoteNumber(const nlohmann::json& value);

// A share of 0 to 1; what is outside by no more than rounding explains is 0 or 1. nullopt: it is none.
std::optional<double> AsShare(double value);

// Members of an object that must be there; a share is a number as above.
absl::StatusOr<std::string> RemoteString(const nlohmann::json& object, const char* name);
absl::StatusOr<double> RemoteShare(const nlohmann::json& object, const char* name);
// A list of `count` values, or of any number when it is negative.
absl::StatusOr<const nlohmann::json*> RemoteList(const nlohmann::json& object, const char* name,
                                                 int64_t count = -1);

}  // namespace lvrpo
