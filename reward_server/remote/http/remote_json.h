#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "verifiers/rules/bounded_json.h"

// Parses JSON from another machine: nothing in it is trusted. Errors are DataLoss, one clause to follow the
// sender's name. Pure functions.
namespace lvrpo {

// An object within the bounds, in which no key is given twice. Invalid JSON is first repaired by MendJson.
absl::StatusOr<nlohmann::json> ParseRemoteJson(absl::string_view text, JsonBounds bounds);

// A number, or a string that spells one in decimal, which may be "Infinity" or "NaN"; nullopt for everything
// else.
std::optional<double> RemoteNumber(const nlohmann::json& value);

// A fraction of 0 to 1; values outside by rounding error only are clamped. nullopt: not a fraction.
std::optional<double> AsShare(double value);

// Required members of an object; a fraction as above.
absl::StatusOr<std::string> RemoteString(const nlohmann::json& object, const char* name);
absl::StatusOr<double> RemoteShare(const nlohmann::json& object, const char* name);
// A list of `count` values, or of any number when it is negative.
absl::StatusOr<const nlohmann::json*> RemoteList(const nlohmann::json& object, const char* name,
                                                 int64_t count = -1);

}  // namespace lvrpo
