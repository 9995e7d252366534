#include "verifiers/numbers/number_trail.h"

#include <string>

#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_denials.h"
#include "verifiers/numbers/number_powers.h"
#include "verifiers/numbers/number_ratio.h"

namespace lvrpo::numbers {
namespace {

size_t LetterCount(absl::string_view word) {
  size_t count = 0;
  for (size_t at = 0; at < word.size(); ++count) unicode::NextCodePoint(word, &at);
  return count;
}

class TrailReader {
 public:
  explicit TrailReader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  bool Read(size_t begin, size_t end) const {
    if (begin < end && (DeniedAfter(tokens_, begin) || IsRatioAfter(tokens_, begin))) return false;
    while (begin + 1 < end && IsSymbol(tokens_[begin], U'{') && tokens_[begin + 1].kind == TokenKind::kWord)
      ++begin;
    for (size_t at = begin; at < end; ++at) {
      const Token& token = tokens_[at];
      switch (token.kind) {
        case TokenKind::kWord:
          if (!IsTrailWord(at, at == begin)) return false;
          break;
        case TokenKind::kName:
          if (token.gap < Gap::kBlank) return false;
          break;
        case TokenKind::kFraction:  // \frac{m}{s}
          break;
        case TokenKind::kCommand:
          if (token.raw != "\\Omega" && token.raw != "\\mu" && token.raw != "\\ell") return false;
          break;
        case TokenKind::kSymbol:
          if (at > begin && at + 1 < end && IsPower(at)) {
            std::string exponent;
            size_t after = at;
            if (!ReadExponent(tokens_, at, &exponent, &after) || after > end) return false;
            at = after - 1;
          } else if (!IsTrailSymbol(at, begin, end)) {
            return false;
          }
          break;
        case TokenKind::kDigits:  // H_2O
          if (at == begin || !IsSymbol(tokens_[at - 1], U'_')) return false;
          break;
        default:
          return false;
      }
    }
    return true;
  }

 private:
  bool IsPower(size_t at) const {
    return IsSymbol(tokens_[at], U'^') &&
           (tokens_[at - 1].kind == TokenKind::kWord || IsClosing(tokens_[at - 1]) ||
            tokens_[at - 1].kind == TokenKind::kCommand);
  }

  bool IsTrailSymbol(size_t at, size_t begin, size_t end) const {
    const Token& token = tokens_[at];
    const bool behind_word = at > begin && tokens_[at - 1].kind == TokenKind::kWord;
    switch (token.symbol) {
      case symbol::kDegree:
        return true;
      case U'(':
      case U'[':
        return token.gap != Gap::kNone || at > begin;
      case U'{':
        return at > begin;
      case U')':
      case U']':
      case U'}':
        return true;
      case U'/':
        return at + 1 < end;
      case symbol::kTimes:
      case U'.':
        return behind_word;
      case symbol::kHyphen:
        return behind_word && token.gap == Gap::kNone && at + 1 < end && tokens_[at + 1].gap == Gap::kNone;
      case U'_':
        return behind_word;
      default:
        return false;
    }
  }

  bool IsTrailWord(size_t at, bool first) const {
    const Token& token = tokens_[at];
    if (DeniesAnswer(token.raw) || ChangesNumberBefore(token.raw)) return false;
    if (first && JoinsNumber(token.raw)) return false;
    if (!first && RaisesTo(tokens_[at - 1].raw) && IsMathNoun(token.raw)) return false;  // "al cuadrado"
    if (IsUnspacedWord(token) || IsUnit(token.raw)) return true;
    const size_t letters = LetterCount(token.raw);
    if (letters == 1) return !first && token.raw == "a" && token.gap == Gap::kBlank;
    if (letters == 2)
      return token.in_words || IsShortWord(token.raw) || static_cast<unsigned char>(token.raw[0]) >= 0x80;
    return letters > 3 || token.in_words || token.gap == Gap::kBlank || !first;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

bool IsTrail(const std::vector<Token>& tokens, size_t begin, size_t end) {
  return TrailReader(tokens).Read(begin, end);
}

}  // namespace lvrpo::numbers
