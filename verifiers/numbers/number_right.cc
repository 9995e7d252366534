#include <string>

#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_denials.h"
#include "verifiers/numbers/number_passage.h"
#include "verifiers/numbers/number_ratio.h"

namespace lvrpo::numbers {
namespace {

class RightReader {
 public:
  explicit RightReader(const Passage& passage)
      : text_(passage.text), tokens_(passage.tokens), has_words_(passage.has_words) {}

  bool Changes(size_t at) const {
    if (TakenBackAfter(tokens_, at)) return true;
    if (at >= tokens_.size() || tokens_[at].gap == Gap::kBreak) return false;
    const Token& token = tokens_[at];
    switch (token.kind) {
      case TokenKind::kName:
        return token.gap == Gap::kNone;
      case TokenKind::kDigits:
      case TokenKind::kVulgar:
      case TokenKind::kExponent:
        return token.gap <= Gap::kMark;
      case TokenKind::kFraction:
      case TokenKind::kCommand:
        return true;
      case TokenKind::kBox:
        return token.gap == Gap::kNone;
      case TokenKind::kWord:
        return ChangesBehindWord(at) || DeniedAfter(tokens_, at) || IsRatioAfter(tokens_, at);
      case TokenKind::kSymbol:
        break;
    }
    if (IsSymbol(token, U'+') && token.gap == Gap::kNone && !IsFollowed(at)) return true;  // "5+" or more
    return IsOperator(token) ? IsJoined(at) || DeniedAfter(tokens_, at) : ChangesBehindSymbol(at);
  }

 private:
  bool ChangesBehindWord(size_t at) const {
    const Token& token = tokens_[at];
    const absl::string_view word = token.raw;
    if (ChangesNumberBefore(word)) return true;
    const auto next = [&](size_t steps) {
      return at + steps < tokens_.size() ? tokens_[at + steps].raw : "";
    };
    if (IsGenitive(word) && ChangesNumberBefore(next(1))) return true;  // "5's square"
    if (RaisesTo(word) && IsMathNoun(next(1))) return true;             // "5 al cuadrado"
    if (IsUnspacedWord(token)) return false;
    if (IsAndWord(word) && (IsPart(next(2)) || IsPart(next(1)))) return true;  // "5 and a half"
    if (word == "to" && next(1) == "the" && !next(2).empty()) return true;     // "10 to the third"
    if (token.gap > Gap::kMark)
      return IsVariable(token) || (IsLetter(token) && !IsUnit(word) && EndsFormula(token));
    return token.gap == Gap::kNone ? word.size() < 4 : IsVariable(token);
  }

  // "$5 i$"
  bool EndsFormula(const Token& token) const {
    const size_t after = token.raw.data() + token.raw.size() - text_.data();
    return after < text_.size() && text_[after] == '$';
  }

  bool ChangesBehindSymbol(size_t at) const {
    const Token& token = tokens_[at];
    switch (token.symbol) {
      case U'^':
      case U'_':
      case symbol::kRoot:
      case symbol::kConstant:
      case symbol::kPlusMinus:
      case symbol::kRelation:
      case symbol::kPrime:
      case symbol::kCross:
      case U'\u2030':  // per mille
        return true;
      case U',':
      case symbol::kListComma:
      case symbol::kSeparator:
        return DeniedAfter(tokens_, at);
      case U'{':  // "5{x}", not "5 {cm}"
        if (at + 1 < tokens_.size() && IsNumeral(tokens_[at + 1])) return token.gap == Gap::kNone;
        return at + 1 < tokens_.size() && tokens_[at + 1].kind == TokenKind::kWord &&
               tokens_[at + 1].raw.size() < 4 && !tokens_[at + 1].in_words && !IsUnit(tokens_[at + 1].raw);
      case U'!':
        return token.gap == Gap::kNone && IsFactorial(at);
      case U'(':
      case U'[':
        if (DeniedAfter(tokens_, at)) return true;
        return token.gap == Gap::kNone && at + 1 < tokens_.size() &&
               (IsNumeral(tokens_[at + 1]) || IsLetter(tokens_[at + 1]) || IsMinusSign(tokens_[at + 1]));
      case U'.':
        // "0.(3)", "0.\overline{3}", "1e3.5"
        return token.gap == Gap::kNone && at + 1 < tokens_.size() && tokens_[at + 1].gap == Gap::kNone &&
               (IsSymbol(tokens_[at + 1], U'(') || tokens_[at + 1].kind == TokenKind::kCommand ||
                IsNumeral(tokens_[at + 1]));
      default:
        return IsMathSign(token.symbol) || unicode::IsLetter(token.symbol) ||
               (token.symbol >= 0x300 && token.symbol <= 0x36F);
    }
  }

  bool IsFollowed(size_t at) const {
    if (at + 1 >= tokens_.size()) return false;
    const Token& next = tokens_[at + 1];
    return IsNumeral(next) ||
           (next.gap <= Gap::kMark && (next.kind != TokenKind::kSymbol || IsOpening(next)));
  }

  // Whether an operand follows the operator at `at`. After a last number that is a variable or a constant.
  bool IsJoined(size_t at) const {
    if (at + 1 >= tokens_.size() || tokens_[at + 1].gap > Gap::kBlank) return false;
    const Token& next = tokens_[at + 1];
    if (next.kind == TokenKind::kCommand || next.kind == TokenKind::kFraction ||
        IsSymbol(next, symbol::kRoot) || IsSymbol(next, symbol::kConstant))
      return true;
    if (IsSymbol(next, U'{')) return !IsMinusSign(tokens_[at]);  // "5 / {x}"
    if (next.kind == TokenKind::kWord) return IsVariable(next) || (IsLetter(next) && next.gap == Gap::kNone);
    return IsSymbol(next, U'(') && next.gap == tokens_[at].gap && !IsMinusSign(tokens_[at]);
  }

  // "5!" in a formula or before more words; at the end of a sentence it is a mark of exclamation.
  bool IsFactorial(size_t at) const {
    if (!has_words_) return true;
    const absl::string_view raw = tokens_[at].raw;
    const size_t after = raw.data() + raw.size() - text_.data();
    if (after >= text_.size()) return false;
    const char next = text_[after];
    if (next == '$' || next == '\\' || next == '}') return true;
    if (at + 1 >= tokens_.size() || tokens_[at + 1].gap == Gap::kBreak) return false;
    const Token& token = tokens_[at + 1];
    if (token.kind != TokenKind::kWord) return !IsClosing(token) && !IsSymbol(token, U'!');
    size_t begin = 0;
    const char32_t first = unicode::NextCodePoint(token.raw, &begin);
    std::string letter;
    unicode::AppendUtf8(first, &letter);
    return token.gap == Gap::kNone || unicode::ToLower(letter) == letter;
  }

  const absl::string_view text_;
  const std::vector<Token>& tokens_;
  const bool has_words_;
};

}  // namespace

bool ChangesBehind(const Passage& passage, size_t at) { return RightReader(passage).Changes(at); }

bool ChangesBoxBefore(const Passage& passage, size_t at) {
  const std::vector<Token>& tokens = passage.tokens;
  if (at >= tokens.size() || tokens[at].gap == Gap::kBreak) return false;
  if (at + 1 >= tokens.size() || tokens[at + 1].gap > Gap::kBlank) return false;
  const bool joins =
      IsOperator(tokens[at]) || (IsSymbol(tokens[at], U':') && tokens[at].gap == tokens[at + 1].gap);
  const bool alternative = tokens[at].kind == TokenKind::kWord && OffersAnother(tokens[at].raw);
  return (joins || alternative) && (IsNumeral(tokens[at + 1]) || IsLetter(tokens[at + 1]));
}

}  // namespace lvrpo::numbers
