#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "verifiers/bounded_json.h"

// Reading JSON that another machine answered: nothing in it is trusted. Errors are Internal, one clause that
// follows the name of who answered. Pure functions.
namespace lvrpo {

// An object within the bounds.
absl::StatusOr<nlohmann::json> ParseRemoteJson(absl::string_view text, const JsonBounds& bounds);

// Members of an object that must be there; a share is a number of 0 to 1.
absl::StatusOr<std::string> RemoteString(const nlohmann::json& object, const char* name);
absl::StatusOr<double> RemoteShare(const nlohmann::json& object, const char* name);
// A list of `count` values, or of any number when it is negative.
absl::StatusOr<const nlohmann::json*> RemoteList(const nlohmann::json& object, const char* name,
                                                 int64_t count = -1);

}  // namespace lvrpo
