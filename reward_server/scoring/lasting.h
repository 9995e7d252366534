#pragma once

#include "absl/status/status.h"

namespace lvrpo {

// Whether a scorer's failure would come again if the same were asked again later.
enum class Lasting {
  kNo,         // it may pass, or is about this sample alone
  kBadAnswer,  // what the scorer answers is no answer
  kRefused,    // the scorer does not take such requests from us at all: a wrong key, address, model or
               // certificate, or it is another one than at the start
};

// Reasons (ErrorInfo.reason) that statuses of remote scorers carry.
inline constexpr char kRefusedReason[] = "REFUSED", kBadAnswerReason[] = "BAD_ANSWER";

// By the status's reason; FailedPrecondition is refused without one. kNo for an OK status.
Lasting LastingOf(const absl::Status& status);

}  // namespace lvrpo
