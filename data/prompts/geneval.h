#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Converts GenEval's metadata to prompt records (djghosh13/geneval:prompts/evaluation_metadata.jsonl), one
// JSON row a line, empty lines skipped:
//   {"tag": "position", "include": [{"class": "bear", "count": 1},
//                                   {"class": "bench", "count": 1, "color": "red", "position": ["left of",
//                                   0]}],
//    "exclude": [{"class": "dog", "count": 1}], "prompt": "a photo of a red bench left of a bear"}
//
// A record has the id "geneval-00000", by the row's place, as GenEval numbers its folders; task IMAGE; the
// tag as its kind; the prompt as text and in key_phrases (ExtractKeyPhrases); and one DetectedObjectsRule.
//
// Rows of the tag "counting" become exact_count: there GenEval excludes one object more than it includes,
// which is the same, and counts only detections of a higher score, as the verifier does for exact_count.
// Those exclusions are dropped, as they would be graded twice; others stay.
//
// InvalidArgument holds every line that is wrong (data/prompts/line_errors.h), `where`:line with the field
// ("include[1].count"). Names that are not listed here are refused, as are counts beyond 1 to 64 and
// positions that name no earlier entry. A byte order mark is skipped.
absl::StatusOr<std::vector<v1::PromptRecord>> GenEvalPrompts(absl::string_view jsonl,
                                                             const std::string& where);

// The same for a file; the read error when it cannot be read.
absl::StatusOr<std::vector<v1::PromptRecord>> ReadGenEvalFile(const std::string& path);

}  // namespace lvrpo
