#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// A regular expression as tokenizer.json files hold them, in the syntax of Oniguruma (Ruby), matched by
// PCRE2. Where their syntax differs in meaning it is translated (\s, \w, \b and their negations) or refused
// (\h, \R, \X, (?m), POSIX and nested classes, && in classes, backreferences, {n}+, {,n}). PCRE2 has the
// properties of characters up to Unicode 14: later ones are treated as unassigned. Immutable; thread-safe.
class SplitRegex {
 public:
  struct Match {
    size_t begin, end;  // bytes; begin < end
  };

  // InvalidArgument: no regular expression. Unimplemented: it means something else to PCRE2, or it can match
  // the empty text, which would split between all characters.
  static absl::StatusOr<std::shared_ptr<const SplitRegex>> Create(const std::string& regex);

  // The first match at or after `from`. `text` is well-formed UTF-8 and `from` the border of a character.
  // ResourceExhausted: the search takes too many steps, as hostile patterns do.
  absl::StatusOr<std::optional<Match>> Find(absl::string_view text, size_t from) const;

  // The same expression in PCRE2's syntax. For tests.
  static absl::StatusOr<std::string> Translated(const std::string& regex);

 private:
  struct Freed {
    void operator()(void* code) const;
  };

  explicit SplitRegex(void* code) : code_(code) {}

  std::unique_ptr<void, Freed> code_;  // pcre2_code
};

}  // namespace lvrpo
