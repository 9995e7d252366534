#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// A provider's error instead of an answer.
struct ErrorObject {
  int code = 0;         // HTTP's, where it names one or a known kind of error; else 0
  std::string message;  // may be empty
};

// The error in a body of a successful status code. Gateways answer so when the upstream failed: {"error":
// {"message": "...", "code": 502}}, {"error": "..."}, {"object": "error", "message": "..."}, or the error in
// the first of "choices". nullopt for everything else, also for an "error" that is null or empty, and for one
// next to a "digest": responses of scorers and detectors may have extra members. Pure.
std::optional<ErrorObject> ReadErrorObject(absl::string_view body);

}  // namespace lvrpo
