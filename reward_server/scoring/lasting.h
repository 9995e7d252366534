#pragma once

#include "absl/status/status.h"

namespace lvrpo {

// Whether a scorer's failure is permanent: would the same request fail again later?
enum class Lasting {
  kNo,         // transient, or specific to this sample
  kBadAnswer,  // the scorer's answer is malformed
  kRefused,    // the scorer rejects all such requests: a wrong key, address, model or
               // certificate, or it is not the scorer of the start
};

// By the status's reason; FailedPrecondition is refused without one. kNo for an OK status.
Lasting LastingOf(const absl::Status& status);

}  // namespace lvrpo
