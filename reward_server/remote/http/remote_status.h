#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Statuses about what another program said. That is data: whatever it is, it never looks like a bug of this
// program (common/exit_code.h). Pure functions.
namespace lvrpo {

// DataLoss: an answer is malformed or out of bounds. `what`: one clause.
absl::Status BadAnswer(absl::string_view what);

// A status that the other program chose: its message as one line, and a code that would mean a bug of this
// program as DataLoss.
absl::Status OfRemote(const absl::Status& status);

// The same status, its reason too, with another message; with "who: " before its own.
absl::Status Reworded(const absl::Status& status, absl::string_view message);
absl::Status Named(absl::string_view who, const absl::Status& status);

}  // namespace lvrpo
