#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

// Rules about the form of a text. Texts must be well-formed UTF-8 (VerifyText in rules.h ensures that). Each
// Verify function returns InvalidArgument where its Check function does: a rule that cannot be judged is the
// prompt's fault, never the answer's. Pure functions, thread-safe.
namespace lvrpo {

// A pattern of at most 1,000 bytes that RE2 compiles to at most 2,000 instructions: matching is linear in the
// text whatever the pattern, with at most 4 MiB of memory.
absl::Status CheckRegexRule(const v1::RegexRule& rule);
// The grade is 0 when it does not hold.
absl::StatusOr<Verdict> VerifyRegex(const v1::RegexRule& rule, absl::string_view text);

absl::Status CheckAnswerTagRule(const v1::AnswerTagRule& rule);
// Four conditions, in this order: one opening tag; one closing tag after it; text between them; only white
// space after. The grade is the fraction of them before the first that fails.
absl::StatusOr<Verdict> VerifyAnswerTag(const v1::AnswerTagRule& rule, absl::string_view text);

// At least one bound, none negative, `least` not above `most`.
absl::Status CheckLengthRule(const v1::LengthRule& rule);
// The grade is the ratio of the length to the violated bound, smaller by larger. text_measure.h defines the
// units.
absl::StatusOr<Verdict> VerifyLength(const v1::LengthRule& rule, absl::string_view text);

// A script that the installed RE2 knows, by Unicode's name; a fraction of 0 to 1.
absl::Status CheckScriptRule(const v1::ScriptRule& rule);
// Letters of no script of their own (Common, Inherited: modifier letters, the Japanese length mark) are not
// counted. A text without letters breaks the rule with grade 0; else the grade is the fraction divided by the
// required one.
absl::StatusOr<Verdict> VerifyScript(const v1::ScriptRule& rule, absl::string_view text);

}  // namespace lvrpo
