#include "learner/upload_check.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"

namespace lvrpo {
namespace {

// Leases that may have been granted since the view was sent.
constexpr int64_t kNewer = 1000;
constexpr size_t kDigest = 64, kLongestName = 256;

bool IsDigest(const std::string& text) {
  return text.size() == kDigest && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
         });
}

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kLongestName && std::none_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
}

absl::Status Refuse(absl::StatusCode code, v1::RefusalReason reason, const std::string& message) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  return WithReason(absl::Status(code, message), info);
}

}  // namespace

absl::Status CheckUpload(const v1::UploadHeader& header, const OpenLeases& open, int64_t most_bytes) {
  if (open.run_id.empty()) return absl::UnavailableError("the learner is still starting");
  const v1::Fence& fence = header.fence();
  if (fence.run_id() != open.run_id) {
    return Refuse(absl::StatusCode::kFailedPrecondition, v1::REFUSAL_WRONG_RUN,
                  absl::StrCat("this learner works for run ", open.run_id));
  }
  if (!IsName(fence.member_id())) return absl::InvalidArgumentError("an upload names the member it is from");
  if (!IsDigest(header.digest())) {
    return absl::InvalidArgumentError("a digest is a SHA-256 in lower-case hexadecimal digits");
  }
  const int64_t ordinal = header.lease().ordinal();
  if (ordinal < 0 || header.lease().attempt() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no ordinal ", ordinal, " attempt ", header.lease().attempt()));
  }
  if (header.size_bytes() < 1 || header.size_bytes() > most_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a group of ", header.size_bytes(), " bytes is none of this run's, which have at most ", most_bytes));
  }
  // Coordinator, learner and worker learn of a new epoch one after the other.
  if (fence.run_epoch() != open.run_epoch) {
    return Refuse(absl::StatusCode::kUnavailable, v1::REFUSAL_STALE_EPOCH,
                  absl::StrCat(fence.member_id(), " is in epoch ", fence.run_epoch(), " and the learner in ",
                               open.run_epoch));
  }
  if (ordinal < open.lowest_open_ordinal || ordinal - kNewer >= open.next_ordinal) {
    return Refuse(absl::StatusCode::kUnavailable, v1::REFUSAL_NO_LEASE,
                  absl::StrCat("nothing is leased of ordinal ", ordinal, ": open are ",
                               open.lowest_open_ordinal, " to ", open.next_ordinal - 1));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
