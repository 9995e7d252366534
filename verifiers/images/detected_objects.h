#pragma once

#include <vector>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/images/detections.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// GenEval's parameters.
struct DetectionThresholds {
  double score = 0.3;           // detections count above this
  double counting_score = 0.9;  // and above this for a rule with exact_count
  // The best of a class that are kept; one more than the largest count that the rule names, if that is more.
  int most_per_class = 16;
  double position_margin = 0.1;  // of the two boxes' sizes, taken off the distance of their centres
  double position_share = 0.5;   // of the distance that must lie along the relation's axis
};

// Whether a rule can be checked, and can hold: at least one entry, at most 32 of each list, class names not
// empty, counts of 1 to 64, a known relation or none, the target of a relation below the entry's own index,
// no class excluded at a count that is included. InvalidArgument, in one line, names the entry.
absl::Status CheckDetectedObjectsRule(const v1::DetectedObjectsRule& rule);

// Whether the detections show what the rule asks. They need not be sorted; of equal scores the earlier one
// ranks first. The rule must have passed CheckDetectedObjectsRule.
//
// Holds: of each included class at least `count` are found, exactly that many with exact_count; the best
// `count` of them all have the requested colour, if any; each of them is in the relation to each of the best
// of the target; of no excluded class are `count` or more found. Entries are checked independently: two for
// one class see the same objects.
//
// Grade: mean over everything the rule states: for each included entry one check per property it names,
//   count     1 - |count - found| / count, at least 0; a surplus costs only with exact_count
//   colour    share of `count` that has it
//   relation  1 or 0; 0 also while an object or its target is not there in number and colour
// and one for each excluded entry, 1 - surplus / count, where the surplus is what is found from `count` on.
// It is 1 exactly when the rule holds.
Verdict VerifyDetectedObjects(const v1::DetectedObjectsRule& rule, const std::vector<Detection>& detections,
                              const DetectionThresholds& thresholds = {});

}  // namespace lvrpo
