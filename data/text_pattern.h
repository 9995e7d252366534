#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// What the Split and Replace components of a tokenizer.json search for: a literal text, or one of the regular
// expressions that known models use, each matched by a function of its own in one pass (there is no regex
// engine here, and none that is packaged has the right Unicode version). Immutable; thread-safe.
class TextPattern {
 public:
  struct Match {
    size_t begin, end;  // bytes; begin < end
  };

  // From {"String": "..."} or {"Regex": "..."}. Unimplemented quotes a regular expression that is not known.
  static absl::StatusOr<TextPattern> FromJson(const nlohmann::json& spec, const std::string& where);
  static TextPattern Literal(std::string text);  // not empty
  // The regular expression must be known.
  static TextPattern Known(absl::string_view regex);

  // The first match at or behind `from`, leftmost, as the regular expression would choose it. `text` is
  // well-formed UTF-8 and `from` the border of a character.
  std::optional<Match> Find(absl::string_view text, size_t from) const;

 private:
  // Where the match that begins at `at` ends; `at` if none does. at < text.size().
  using Matcher = size_t (*)(absl::string_view text, size_t at);

  std::string literal_;
  Matcher matcher_ = nullptr;  // null: search for the literal
};

// "Replace": every match of a pattern becomes `content`.
struct Replacement {
  TextPattern pattern;
  std::string content;

  // Members "pattern" and "content".
  static absl::StatusOr<Replacement> FromJson(const nlohmann::json& spec, const std::string& where);
  // nullopt: the result is longer than `most` bytes.
  std::optional<std::string> Apply(absl::string_view text, size_t most) const;
};

// Regular expressions, spelled as in the models' files.
extern const char kQwen2Pattern[];
extern const char kLlama3Pattern[];
extern const char kGpt2Pattern[];
extern const char kClipPattern[];
extern const char kSpacesPattern[];

}  // namespace lvrpo
