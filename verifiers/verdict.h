#pragma once

#include <string>

namespace lvrpo {

// A verifier's result for one output and one rule (proto/lvrpo/v1/rule.proto).
struct Verdict {
  bool holds = false;  // R_ins as the paper has it, equation 7
  double grade = 0;    // 0 to 1, 1 exactly when it holds: how nearly it does
  std::string why;     // when it does not hold: one clause for people, "3 words where 5 to 9 are asked"
};

}  // namespace lvrpo
