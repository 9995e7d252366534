#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

// Rules about the final answer of a text: right or wrong, the grade is 1 or 0. How near a wrong number lies
// to the right one, or how many letters two names share, says little about how nearly it was worked out, and
// a policy that is paid for it learns to answer with the middle of what is usual.
//
// With a tag the answer is what stands in <tag>...</tag>, which must be there exactly once. Texts must be
// well-formed UTF-8. Each Verify function returns InvalidArgument where the Check function beside it does.
// Pure functions, thread-safe.
namespace lvrpo {

// 1 to 64 answers of at most 4,096 bytes, none of them blank.
absl::Status CheckExactAnswerRule(const v1::ExactAnswerRule& rule);
// Compared as folded.h folds them, white space as single blanks.
absl::StatusOr<Verdict> VerifyExactAnswer(const v1::ExactAnswerRule& rule, absl::string_view text);

// Everything finite, tolerances at least 0 and the relative one below 1.
absl::Status CheckNumericAnswerRule(const v1::NumericAnswerRule& rule);
// number_in_text.h says what a number is. The answer is the only number in <tag> or, without a tag, in the
// last \boxed{}, or else the last number of the text. It is near when it is off by no more than the absolute
// tolerance or the relative one times |value|. "12 %" may be 12 or .12, whichever is asked.
absl::StatusOr<Verdict> VerifyNumericAnswer(const v1::NumericAnswerRule& rule, absl::string_view text);

// One letter A to Z; no choices, or up to 26 different ones of at most 512 bytes, the letter's among them.
absl::Status CheckChoiceAnswerRule(const v1::ChoiceAnswerRule& rule);
// choice_letter.h says which letters a text claims. Two different ones are no answer.
absl::StatusOr<Verdict> VerifyChoiceAnswer(const v1::ChoiceAnswerRule& rule, absl::string_view text);

}  // namespace lvrpo
