#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// How much of `wanted` can be read in `recognised`, 0 to 1, both without white space and in small letters: 1
// when it is contained, else 1 - d / n for n characters wanted and the smallest number d of characters to
// insert, delete or replace that makes it some part of what was recognised (d <= n). What else is written
// around it costs nothing. flow_grpo (flow_grpo/ocr.py) takes the distance to all of the recognised text
// instead, which is 1 too when it is contained but falls at once with other text nearby when one letter is
// off. Any bytes will do; time goes with the product of the lengths.
double WrittenSimilarity(absl::string_view wanted, absl::string_view recognised);

// A text of 1 to 200 characters besides white space; a similarity of 0 to 1.
absl::Status CheckWrittenTextRule(const v1::WrittenTextRule& rule);

// Judges what was recognised in the image (ocr.h), of which the first 20,000 characters count. The rule holds
// from `least_similarity` on; below it the grade is the similarity by the one asked.
absl::StatusOr<Verdict> VerifyWrittenText(const v1::WrittenTextRule& rule, absl::string_view recognised);

}  // namespace lvrpo
