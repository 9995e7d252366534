#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_passage.h"

namespace lvrpo::numbers {
namespace {

bool IsBox(const std::vector<Token>& tokens, size_t at) {
  return at < tokens.size() && tokens[at].kind == TokenKind::kBox;
}

// "the root of", "two thirds of", "1/2 of".
bool IsPartOf(const std::vector<Token>& tokens, const Item& last, size_t of) {
  const Token& before = tokens[of - 1];
  if (before.kind == TokenKind::kWord) return IsMathNoun(before.raw) || IsPart(before.raw);
  if (last.end != of) return false;
  return before.kind == TokenKind::kVulgar || IsSymbol(before, U'}') ||
         (of > 1 && (IsSymbol(tokens[of - 2], U'/') || tokens[of - 2].kind == TokenKind::kFraction));
}

}  // namespace

bool ChangesAfterWord(const Passage& passage, const Item& last, size_t at) {
  const std::vector<Token>& tokens = passage.tokens;
  const Token& token = tokens[at];
  const bool glued = at + 1 < tokens.size() && tokens[at + 1].gap == Gap::kNone;
  if (token.gap == Gap::kNone && at > 0 && IsLetter(token) && IsNumeral(tokens[at - 1]) && !IsUnit(token.raw))
    return true;  // "1e 5"
  if (token.raw == "the" && at > 1 && tokens[at - 1].raw == "to" && IsNumeral(tokens[at - 2]))
    return true;  // "10 to the 3rd"
  if (glued && IsLetter(token) && (IsVariable(token) || IsBox(tokens, at + 1))) return true;
  const absl::string_view word = token.raw;
  if (at > 0 && JoinsOperands(word) &&
      (IsNumeral(tokens[at - 1]) || (!IsUnspacedWord(token) && IsNumberWord(tokens[at - 1].raw))))
    return true;  // "5 times", "two times"
  if (word == "times" || word == "plus") return false;
  if (at > 0 && IsBy(word) && IsOperation(tokens[at - 1].raw)) return true;
  if (at > 0 && word == "past" && IsNumeral(tokens[at - 1])) return true;  // "10 past 3"
  if (IsOfWord(word) && at > 0 && token.gap != Gap::kBreak) return IsPartOf(tokens, last, at);
  if (word == "to" && at > 0 && tokens[at - 1].raw == "raised") return true;
  if (at > 0 && IsPart(tokens[at - 1].raw) && token.gap != Gap::kBreak && IsClockWord(word)) return true;
  return ChangesNumberBehind(word) || (ChangesNumberBefore(word) && IsUnspacedWord(token)) ||
         (IsBox(tokens, at + 1) && (word == "or" || word == "oder" || word == "ou"));
}

}  // namespace lvrpo::numbers
