#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/prompt.pb.h"
#include "verifiers/verdict.h"

// The rules of a prompt record (docs/rules.md), each judged by a separate function: image_rules.h,
// detected_objects.h, written_text.h, text_rules.h, json_rule.h, answer_rules.h.
namespace lvrpo {

// Whether the rule can be judged at all. InvalidArgument names the field, what is wrong with it and what it
// should be. Costs microseconds (a schema: up to milliseconds); meant for every record that is read or
// received.
absl::Status CheckRule(const v1::Rule& rule);

// All rules of a prompt: each passes CheckRule and applies to the prompt's task, image or text.
// InvalidArgument names the prompt, the rule's index and what is wrong.
absl::Status CheckPromptRules(const v1::PromptRecord& prompt);

// A rule about text, judged on an answer of any bytes: ill-formed UTF-8 counts as U+FFFD. Linear in the
// answer, except for JSON (see json_rule.h). InvalidArgument when the rule is about images, is empty, or
// CheckRule refuses it. Thread-safe.
absl::StatusOr<Verdict> VerifyText(const v1::Rule& rule, absl::string_view output);

}  // namespace lvrpo
