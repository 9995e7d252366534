#include "reward_server/remote/http/remote_status.h"

#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

constexpr size_t kMostMessage = 1000;  // characters

absl::Status WithPayloadOf(const absl::Status& status, absl::Status other) {
  status.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { other.SetPayload(type, payload); });
  return other;
}

}  // namespace

absl::Status BadAnswer(absl::string_view what) { return absl::DataLossError(what); }

absl::Status OfRemote(const absl::Status& status) {
  if (status.ok()) return status;
  const bool bug = ExitCodeFor(status) == kExitBug;
  return WithPayloadOf(status, absl::Status(bug ? absl::StatusCode::kDataLoss : status.code(),
                                            OneLine(status.message(), kMostMessage)));
}

absl::Status Reworded(const absl::Status& status, absl::string_view message) {
  return WithPayloadOf(status, absl::Status(status.code(), message));
}

absl::Status Named(absl::string_view who, const absl::Status& status) {
  return Reworded(status, absl::StrCat(who, ": ", status.message()));
}

}  // namespace lvrpo
