#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "verifiers/verdict.h"

namespace lvrpo {

inline Verdict Holds() { return {.holds = true, .grade = 1, .why = ""}; }

// The grade is clamped to the range of a broken rule: at least 0, and below 1 even after rounding.
inline Verdict Broken(double grade, std::string why) {
  return {.holds = false, .grade = std::clamp(grade, 0.0, 1 - 1e-6), .why = std::move(why)};
}

}  // namespace lvrpo
