#include "common/net/retry.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/rpc.h"

namespace lvrpo {

absl::Duration DoubledWait(absl::Duration first, absl::Duration longest, int tries) {
  return std::min(longest, first * std::ldexp(1, std::min(tries - 1, 30)));
}

absl::Duration NextWait(const RetryPolicy& policy, int tries, absl::Duration asked, uint64_t seed) {
  const double fraction =  // jitter: between half and all of the wait
      .5 + .5 * std::ldexp(static_cast<double>(StableHash64(absl::StrCat(seed, "/", tries)) >> 11), -53);
  const absl::Duration wait = DoubledWait(policy.first_wait, policy.longest_wait, tries) * fraction;
  return std::min(policy.longest_wait, std::max(asked, wait));
}

std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, const absl::Status& failure,
                                              int tries, absl::Duration left, uint64_t seed) {
  if (!absl::IsUnavailable(failure) && !absl::IsResourceExhausted(failure)) return std::nullopt;
  if (tries > policy.retries) return std::nullopt;
  const absl::Duration asked = absl::Seconds(ErrorInfoOf(failure).retry_after_seconds());
  if (asked > policy.longest_wait) return std::nullopt;
  const absl::Duration wait = NextWait(policy, tries, asked, seed);
  if (wait >= left) return std::nullopt;
  return wait;
}

}  // namespace lvrpo
