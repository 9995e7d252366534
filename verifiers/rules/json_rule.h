#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// json_schema.h says which schemas are taken.
absl::Status CheckJsonSchemaRule(const v1::JsonSchemaRule& rule);

// Holds when the text, or the content of <tag>, is JSON and nothing else (white space apart) and the schema
// accepts it. JSON of more than 256 KiB, 4,096 values or 64 levels, and strings with U+0000, break the rule
// whatever the schema says. Whole numbers are integers however written (2.0). The grade is 0 for what is not
// JSON and 1/2 for JSON that the schema does not accept. `text` must be well-formed UTF-8. InvalidArgument as
// CheckJsonSchemaRule. Pure, thread-safe.
absl::StatusOr<Verdict> VerifyJsonSchema(const v1::JsonSchemaRule& rule, absl::string_view text);

}  // namespace lvrpo
