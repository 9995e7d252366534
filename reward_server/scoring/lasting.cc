#include "reward_server/scoring/lasting.h"

#include "common/net/rpc.h"

namespace lvrpo {

Lasting LastingOf(const absl::Status& status) {
  const std::string reason = ErrorInfoOf(status).reason();
  if (absl::IsFailedPrecondition(status) || reason == kRefusedReason) return Lasting::kRefused;
  return reason == kBadAnswerReason ? Lasting::kBadAnswer : Lasting::kNo;
}

}  // namespace lvrpo
