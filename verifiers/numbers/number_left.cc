#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_denials.h"
#include "verifiers/numbers/number_equations.h"
#include "verifiers/numbers/number_passage.h"
#include "verifiers/numbers/number_ratio.h"

namespace lvrpo::numbers {
namespace {

class LeftReader {
 public:
  LeftReader(const Passage& passage, const Quantity& quantity, const Item& last)
      : passage_(passage), tokens_(passage.tokens), quantity_(quantity), last_(last) {}

  Left Read(size_t at) const {
    size_t begin = at;
    if (HasCode(begin)) --begin;
    if (begin == 0) return {};
    if (tokens_[begin].gap == Gap::kBreak) return {.changes = HangsOver(begin - 1)};
    if (IsSecondPiece(passage_, begin, quantity_, last_) || IsRatioBefore(tokens_, last_.end, begin))
      return {.changes = true};
    const Token& token = tokens_[begin - 1];
    if (IsMinusSign(token) || (token.kind == TokenKind::kWord && IsMinusWord(token.raw))) {
      Left left = Signed(begin - 1, begin);
      left.signed_number = begin == at;
      return left;
    }
    return token.kind == TokenKind::kSymbol ? BehindSymbol(begin - 1, begin) : BehindOther(begin - 1, begin);
  }

 private:
  bool IsBox(size_t at) const { return tokens_[at].kind == TokenKind::kBox; }

  // A currency before the number: "USD5", or "-USD 5", where a sign is right before it.
  bool HasCode(size_t begin) const {
    if (begin == 0 || tokens_[begin].gap > Gap::kBlank || tokens_[begin - 1].kind != TokenKind::kWord ||
        !IsCurrencyCode(tokens_[begin - 1].raw))
      return false;
    return tokens_[begin].gap <= Gap::kMark ||
           (begin > 1 && tokens_[begin - 1].gap == Gap::kNone && IsMinusSign(tokens_[begin - 2]));
  }

  // Whether the line before ends with what needs an operand.
  bool HangsOver(size_t before) const {
    const Token& token = tokens_[before];
    if (token.kind == TokenKind::kSymbol)
      return IsSymbol(token, symbol::kRelation) || IsSymbol(token, symbol::kPlusMinus) ||
             IsSymbol(token, symbol::kRoot);
    if (token.kind != TokenKind::kWord) return false;
    return IsMinusWord(token.raw) || DeniedBefore(tokens_, before + 1);
  }

  // Whether an operand ends with tokens_[at].
  bool IsOperand(size_t at) const {
    const Token& token = tokens_[at];
    return IsNumeral(token) || token.kind == TokenKind::kName || token.kind == TokenKind::kCommand ||
           token.kind == TokenKind::kWord || IsClosing(token) || IsSymbol(token, symbol::kConstant) ||
           IsSymbol(token, symbol::kDegree) || IsSymbol(token, U'%') || IsSymbol(token, U'!');
  }

  Left BehindOther(size_t before, size_t begin) const {
    const Token& token = tokens_[before];
    switch (token.kind) {
      case TokenKind::kCommand:
      case TokenKind::kFraction:
        return {.changes = true};
      case TokenKind::kWord:
        if (IsPercentBefore(token.raw)) return {.percent = true};
        return {.changes = ChangesAfterWord(passage_, last_, before) || DeniedBefore(tokens_, begin)};
      case TokenKind::kName:
        return {.changes = IsBox(begin) && tokens_[begin].gap == Gap::kNone};
      default:
        break;
    }
    // After an index: "log_2 8"; after a number that is itself only a part: "5 x 10 3".
    const bool index = before > 0 && IsSymbol(tokens_[before - 1], U'_');
    const bool part = last_.end == begin && !last_.number;
    return {.changes = tokens_[begin].gap <= Gap::kMark || index || part || IsBox(begin)};
  }

  Left BehindSymbol(size_t before, size_t begin) const {
    const Token& token = tokens_[before];
    const bool operand = before > 0 && token.gap != Gap::kBreak && IsOperand(before - 1);
    const bool glued = tokens_[begin].gap == Gap::kNone;
    switch (token.symbol) {
      case U'+':
        return {.changes = BehindPlus(before, begin, operand)};
      case U'/':
      case symbol::kTimes:
      case symbol::kDivide:
        return {.changes = operand};
      case U'=':
      case symbol::kAlmost:
        return {.changes = !IsBox(begin) && IsTransformed(passage_, before, quantity_)};
      case U':':
        return {.changes = operand && token.gap == tokens_[begin].gap && IsNumeral(tokens_[before - 1])};
      case U',':
      case U'_':
      case U'\'':
        // ",5", "1,,000"
        return {.changes = token.symbol == U'_' || (glued && (before == 0 || token.gap != Gap::kNone ||
                                                              IsSymbol(tokens_[before - 1], token.symbol)))};
      case U'%':
        return {.changes = glued};
      case symbol::kCross:  // of this number, and not of the one before
        return {.changes = before == 0 || token.gap == Gap::kBreak || !IsNumeral(tokens_[before - 1])};
      case U'!':
        return {.changes = glued && token.gap != Gap::kNone};  // "!5" counts derangements
      case U'|':
        return {.changes = glued && IsBarred(before, begin)};
      case U')':
      case U']':
      case U'}':
        return {.changes = BehindBracket(before, begin)};
      default:
        return {.changes = NeedsOperand(token.symbol)};
    }
  }

  static bool NeedsOperand(char32_t symbol) {
    switch (symbol) {
      case U'^':
      case symbol::kRoot:
      case symbol::kConstant:
      case symbol::kPlusMinus:
      case symbol::kRelation:
      case symbol::kPrime:
        return true;
      default:
        return IsMathSign(symbol);
    }
  }

  // "is +7" has a sign.
  bool BehindPlus(size_t before, size_t begin, bool operand) const {
    if (before > 0 && tokens_[before].gap != Gap::kBreak &&
        (IsOperator(tokens_[before - 1]) || IsSymbol(tokens_[before - 1], symbol::kPlusMinus)))
      return true;
    return operand && !(tokens_[before - 1].kind == TokenKind::kWord && !IsLetter(tokens_[before - 1]) &&
                        tokens_[before].gap == Gap::kBlank && tokens_[begin].gap <= Gap::kMark);
  }

  bool BehindBracket(size_t before, size_t begin) const {
    const Token& token = tokens_[before];
    const bool index =
        token.partner != kNoPartner && token.partner > 0 && IsSymbol(tokens_[token.partner - 1], U'_');
    const bool factor = IsBox(begin) && last_.end == begin && tokens_[begin].gap <= Gap::kBlank;
    return index || factor || tokens_[begin].gap == Gap::kNone;
  }

  // "|5|" is an absolute value, where no third bar makes a row of a table of it.
  bool IsBarred(size_t before, size_t begin) const {
    const auto bar = [&](size_t at) { return at < tokens_.size() && IsSymbol(tokens_[at], U'|'); };
    size_t end = quantity_.end;
    if (begin >= end || !bar(end) || tokens_[end].gap != Gap::kNone) return false;
    const bool row = before >= 2 && tokens_[before].gap != Gap::kBreak && bar(before - 2);
    return !row && !bar(end + 2);
  }

  // The minus sign or word at `sign`, before the number at `begin`.
  Left Signed(size_t sign, size_t begin) const {
    const Token& token = tokens_[sign];
    const bool word = token.kind == TokenKind::kWord, minus = IsSymbol(token, symbol::kMinus);
    const size_t after = token.raw.data() + token.raw.size() - passage_.text.data();
    const bool close = tokens_[begin].gap <= Gap::kMark ||
                       (after < passage_.text.size() && passage_.text[after] == '\\');  // "-\,3"
    if (sign == 0 || token.gap == Gap::kBreak) {
      // "- 5" is an item of a list, where there are more lines.
      return {.negative = word || minus || close || passage_.one_line};
    }
    const Token& before = tokens_[sign - 1];
    if (word) {
      const bool term = before.kind == TokenKind::kWord &&
                        (ChangesNumberBehind(before.raw) || ChangesNumberBefore(before.raw) ||
                         before.raw == "or" || DeniedBefore(tokens_, sign));
      return {.changes = IsNumeral(before) || IsVariable(before) || term, .negative = true};
    }
    if (last_.end == sign && last_.end > 0) {
      const bool range = !minus && last_.number && !last_.ranged && last_.plain && quantity_.plain &&
                         last_.value < quantity_.value && token.gap == tokens_[begin].gap;
      return {.changes = !range, .ranged = true};
    }
    return SignedBehind(sign, minus, close);
  }

  // A sign after other tokens: is it one, a dash or an operation?
  Left SignedBehind(size_t sign, bool minus, bool close) const {
    const Token &token = tokens_[sign], &before = tokens_[sign - 1];
    const bool apart = token.gap == Gap::kBlank && !close;  // " - "
    switch (before.kind) {
      case TokenKind::kName:
        return {.changes = !apart || minus};
      case TokenKind::kWord: {
        if (IsVariable(before) || (IsLetter(before) && !IsWordLetter(before.raw) && token.gap == Gap::kNone))
          return {.changes = true};
        if (IsMinusWord(before.raw) || (token.gap == Gap::kNone && IsAndWord(before.raw)) ||
            DeniedBefore(tokens_, sign) || ChangesAfterWord(passage_, last_, sign - 1))
          return {.changes = true};
        return {.negative = minus || (close && (token.gap != Gap::kNone || IsUnspacedWord(before)))};
      }
      case TokenKind::kSymbol:
        break;
      default:
        return {.changes = true};
    }
    if (IsClosing(before)) return {.changes = !(token.gap == Gap::kBlank && close), .negative = true};
    switch (before.symbol) {
      case U'|':
        return {.changes = token.gap == Gap::kNone, .negative = true};
      case U'=':
      case symbol::kAlmost:
        return {.changes = quantity_.unit > 0 && !IsBox(quantity_.unit - 1) &&
                           IsTransformed(passage_, sign - 1, quantity_),
                .negative = true};
      case U'_':
      case U'%':
      case U'!':
        return {.changes = true};
      case U'.':
      case U'?':
      case U'\u3002':
        return {.negative = close || minus};
      default:
        return {
            .changes = (IsOperator(before) && before.symbol != symbol::kDash) || NeedsOperand(before.symbol),
            .negative = true};
    }
  }

  const Passage& passage_;
  const std::vector<Token>& tokens_;
  const Quantity& quantity_;
  const Item& last_;
};

}  // namespace

Left LookLeft(const Passage& passage, size_t at, const Quantity& quantity, const Item& last) {
  return LeftReader(passage, quantity, last).Read(at);
}

}  // namespace lvrpo::numbers
