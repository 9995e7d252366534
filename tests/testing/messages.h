#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

inline v1::PolicyVersion Version(int64_t number, const std::string& digest) {
  v1::PolicyVersion version;
  version.set_number(number);
  version.set_digest(digest);
  return version;
}

// The version whose digest is "d" and its number.
inline v1::PolicyVersion Version(int64_t number) { return Version(number, absl::StrCat("d", number)); }

inline v1::Lease Lease(int64_t ordinal, int32_t attempt = 0) {
  v1::Lease lease;
  lease.mutable_id()->set_ordinal(ordinal);
  lease.mutable_id()->set_attempt(attempt);
  lease.set_group_size(4);
  lease.set_learner_address("learner");
  return lease;
}

}  // namespace lvrpo
