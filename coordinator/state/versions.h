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

// Attempts of ordinals that are planned in this generation of the run begin here: nothing that was abandoned
// can be mistaken for what came after.
inline int32_t FirstAttempt(int32_t generation) { return generation * 100000; }

}  // namespace lvrpo
