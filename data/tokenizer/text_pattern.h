#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tokenizer/split_regex.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The search pattern of a component of a tokenizer.json: a literal text, or a regular expression. Those that
// known models use are matched by dedicated functions in one pass, with the Unicode version that the Python
// package `tokenizers` has; others by data/tokenizer/split_regex.h. Immutable; thread-safe.
class TextPattern {
 public:
  using Match = SplitRegex::Match;

  // From {"String": "..."} or {"Regex": "..."}. Errors of a regular expression as in SplitRegex::Create.
  static absl::StatusOr<TextPattern> FromJson(const nlohmann::json& spec, const std::string& where);
  static TextPattern Literal(std::string text);  // not empty
  // The regular expression must be known.
  static TextPattern Known(absl::string_view regex);
  // Where the match that begins at `at` ends; `at` if none does. at < text.size().
  using Matcher = size_t (*)(absl::string_view text, size_t at);
  static TextPattern By(Matcher matcher);

  // The first match at or after `from`, leftmost, as the regular expression would choose it. `text` is
  // well-formed UTF-8 and `from` the border of a character. ResourceExhausted as in SplitRegex::Find.
  absl::StatusOr<std::optional<Match>> Find(absl::string_view text, size_t from) const;

 private:
  std::string literal_;
  Matcher matcher_ = nullptr;
  std::shared_ptr<const SplitRegex> regex_;  // without either: search for the literal
};

// "Replace": every match of a pattern becomes `content`.
struct Replacement {
  TextPattern pattern;
  std::string content;

  // Members "pattern" and "content".
  static absl::StatusOr<Replacement> FromJson(const nlohmann::json& spec, const std::string& where);
  // ResourceExhausted: the result is longer than `most` bytes, or as in SplitRegex::Find.
  absl::StatusOr<std::string> Apply(absl::string_view text, size_t most) const;
};

// Regular expressions, spelled as in the models' files.
extern const char kQwen2Pattern[];
extern const char kLlama3Pattern[];
extern const char kGpt2Pattern[];
extern const char kClipPattern[];
extern const char kSpacesPattern[];

// The patterns of the named pre-tokenizers; not regular expressions in files.
TextPattern WordsPattern();     // Whitespace: \w+|[^\w\s]+
TextPattern OneSpacePattern();  // WhitespaceSplit: \s
TextPattern OneDigitPattern();  // Digits: \p{N}
absl::StatusOr<TextPattern>
PunctuationPattern();  // Punctuation: \p{P} and all that is neither letter nor digit in ASCII

}  // namespace lvrpo
