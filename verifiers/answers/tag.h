#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Answers between tags: "... <answer>42</answer>". Tags are compared byte for byte; nothing else of XML is
// known. Pure functions, one pass over the text.
namespace lvrpo {

struct TagPlaces {
  int opened = 0, closed = 0;        // how often <tag> and </tag> occur
  bool paired = false;               // each once, in this order
  absl::string_view content, after;  // when paired: the text between them, and after the second
};

TagPlaces FindTag(absl::string_view text, const std::string& tag);

// The part of a text that an answer rule judges: the content of the tag, or all of the text when `tag` is
// empty. nullopt: the tag does not occur exactly once.
std::optional<absl::string_view> AnswerPart(absl::string_view text, const std::string& tag);
// Why AnswerPart was nullopt, as a clause.
std::string NotOnce(const std::string& tag);

// 1 to 32 ASCII letters, digits, '-' and '_'. InvalidArgument begins with `field`.
absl::Status CheckTag(const std::string& tag, absl::string_view field);
// The same, or empty.
absl::Status CheckOptionalTag(const std::string& tag, absl::string_view field);

}  // namespace lvrpo
