#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

inline bool SameVersion(const v1::PolicyVersion& a, const v1::PolicyVersion& b) {
  return a.number() == b.number() && a.digest() == b.digest();
}

// "3 (0123456789ab)"
inline std::string Describe(const v1::PolicyVersion& version) {
  return absl::StrCat(version.number(), " (", version.digest().substr(0, 12), ")");
}

inline v1::LeaseId MakeLeaseId(int64_t ordinal, int32_t attempt) {
  v1::LeaseId id;
  id.set_ordinal(ordinal);
  id.set_attempt(attempt);
  return id;
}

// "ordinal 3 attempt 1"
inline std::string Describe(const v1::LeaseId& lease) {
  return absl::StrCat("ordinal ", lease.ordinal(), " attempt ", lease.attempt());
}

}  // namespace lvrpo
