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

// First attempt number of ordinals planned in this generation of the run: abandoned attempts never equal
// later ones.
inline int32_t FirstAttempt(int32_t generation) { return generation * 100000; }

}  // namespace lvrpo
