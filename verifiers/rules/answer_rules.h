#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

// Rules about the final answer of a text: right or wrong, the grade is 1 or 0. The distance of a wrong number
// from the right one, or the letters that two names share, say little about how close the reasoning was, and
// a policy that is rewarded for it learns to answer with typical values.
//
// With a tag the answer is the content of <tag>...</tag>, which must occur exactly once. Texts must be
// well-formed UTF-8. Each Verify function returns InvalidArgument where its Check function does. Pure
// functions, thread-safe.
namespace lvrpo {

// 1 to 64 answers of at most 4,096 bytes, none of them blank.
absl::Status CheckExactAnswerRule(const v1::ExactAnswerRule& rule);
// Compared as folded.h folds them, white space as single blanks.
absl::StatusOr<Verdict> VerifyExactAnswer(const v1::ExactAnswerRule& rule, absl::string_view text);

// Everything finite, tolerances at least 0 and the relative one below 1.
absl::Status CheckNumericAnswerRule(const v1::NumericAnswerRule& rule);
// number_in_text.h says what a number is. The answer is the only number in <tag> or, without a tag, in the
// last \boxed{}, or else the last number of the text. It is correct within the absolute tolerance or the
// relative one times |value|. "12 %" matches 12 and .12.
absl::StatusOr<Verdict> VerifyNumericAnswer(const v1::NumericAnswerRule& rule, absl::string_view text);

// One letter A to Z; no choices, or up to 26 different ones of at most 512 bytes, the letter's among them.
absl::Status CheckChoiceAnswerRule(const v1::ChoiceAnswerRule& rule);
// choice_letter.h says which letters a text claims. Two different letters are no answer.
absl::StatusOr<Verdict> VerifyChoiceAnswer(const v1::ChoiceAnswerRule& rule, absl::string_view text);

}  // namespace lvrpo
