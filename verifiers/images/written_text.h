#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// How much of `wanted` can be read in `recognised`, 0 to 1, both lower-case and without white space: 1 when
// it is contained, else 1 - d / n for n wanted characters and the smallest edit distance d to any substring
// of the recognised text (d <= n). Other text around it costs nothing. flow_grpo (flow_grpo/ocr.py) uses the
// distance to all of the recognised text instead, which is also 1 when it is contained, but drops sharply
// with other text around when one letter is off. Accepts any bytes; O(product of the lengths).
double WrittenSimilarity(absl::string_view wanted, absl::string_view recognised);

// A text of 1 to 200 characters besides white space; a similarity of 0 to 1.
absl::Status CheckWrittenTextRule(const v1::WrittenTextRule& rule);

// Judges the recognised text of an image (ocr.h), of which the first 20,000 characters are used. The rule
// holds from `least_similarity` on; below it the grade is the similarity divided by the required one.
absl::StatusOr<Verdict> VerifyWrittenText(const v1::WrittenTextRule& rule, absl::string_view recognised);

}  // namespace lvrpo
