#include "reward_server/scoring/lasting.h"

#include "common/net/rpc.h"

namespace lvrpo {

Lasting LastingOf(const absl::Status& status) {
  const v1::RefusalReason reason = ErrorInfoOf(status).reason();
  if (absl::IsFailedPrecondition(status) || reason == v1::REFUSAL_BY_SCORER) return Lasting::kRefused;
  return reason == v1::REFUSAL_BAD_ANSWER ? Lasting::kBadAnswer : Lasting::kNo;
}

}  // namespace lvrpo
