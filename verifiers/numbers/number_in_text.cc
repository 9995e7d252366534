#include "verifiers/numbers/number_in_text.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "data/unicode/unicode.h"
#include "verifiers/numbers/number_characters.h"
#include "verifiers/numbers/number_grammar.h"
#include "verifiers/numbers/number_tokens.h"
#include "verifiers/numbers/number_words.h"

namespace lvrpo {
namespace {

using namespace numbers;  // NOLINT: one subject, two files

// Letters that may be words between others.
bool IsWordLetter(absl::string_view word) {
  for (const absl::string_view letter : {"a", "e", "i", "o", "u", "y", "A", "I", "O", "E", "Y"}) {
    if (word == letter) return true;
  }
  return false;
}

bool IsVariable(const Token& token) {
  return IsLetter(token) && !IsWordLetter(token.raw) && token.raw.size() == 1 &&
         absl::ascii_islower(static_cast<unsigned char>(token.raw[0])) && !IsUnit(token.raw);
}

bool IsNumeral(const Token& token) {
  return token.kind == TokenKind::kDigits || token.kind == TokenKind::kVulgar ||
         token.kind == TokenKind::kExponent;
}

bool IsOperator(const Token& token) {
  return IsMinusSign(token) || IsSymbol(token, U'+') || IsSymbol(token, U'/') ||
         IsSymbol(token, symbol::kTimes) || IsSymbol(token, symbol::kDivide);
}

// The result at digits, a fraction, a root or a constant.
struct Item {
  std::optional<NumberInText> number;  // nullopt: not a number
  bool plain = false, ranged = false, compound = false;
  double value = 0;
  size_t end = 0;
};

class Text {
 public:
  explicit Text(absl::string_view text) : text_(text), tokens_(Tokenize(text)) {
    one_line_ = std::none_of(tokens_.begin(), tokens_.end(), [this](const Token& token) {
      return &token != &tokens_.front() && token.gap == Gap::kBreak;
    });
    has_words_ = std::any_of(tokens_.begin(), tokens_.end(), [](const Token& token) {
      return token.kind == TokenKind::kWord && !IsLetter(token);
    });
  }

  std::optional<NumberInText> Last() {
    for (size_t at = 0; at < tokens_.size();) at = Visit(at);
    return last_.number;
  }

 private:
  struct Left {
    bool changes = false;  // a preceding word changes the number's meaning
    bool negative = false, ranged = false, percent = false;
    bool signed_number = false;  // the token before is a sign
  };

  // Reads the token at `at`; returns the next position.
  size_t Visit(size_t at) {
    const Token& token = tokens_[at];
    if (IsOpening(token) && token.partner != kNoPartner && IsArgument(at))
      formula_end_ = std::max(formula_end_, token.partner);
    const bool numeral =
        IsNumeral(token) || token.kind == TokenKind::kFraction ||
        (IsSymbol(token, U'.') && (at == 0 || token.gap != Gap::kNone || !IsWordEnd(at - 1)));
    const Quantity quantity = numeral ? ReadQuantity(tokens_, at) : Quantity();
    if (quantity.state == Quantity::State::kNone) {
      if (token.kind == TokenKind::kFraction || IsNumeral(token) || IsSymbol(token, symbol::kRoot) ||
          IsSymbol(token, symbol::kConstant)) {
        last_ = Item();
        last_.end = at + 1;
      }
      return at + 1;
    }
    if (IsDimension(at, quantity)) return quantity.end + 1;
    Item item;
    item.end = quantity.end;
    item.plain = quantity.plain;
    item.value = quantity.value;
    item.compound = quantity.has_unit || quantity.scaled;
    const Left left = LookLeft(at, quantity);
    item.ranged = left.ranged;
    if (quantity.state == Quantity::State::kRead && at >= formula_end_) {
      item.number = Surrounded(at, quantity, left);
    }
    last_ = item;
    return quantity.end;
  }

  // The number with its context, also around brackets that hold nothing else.
  std::optional<NumberInText> Surrounded(size_t begin, const Quantity& quantity, Left left) const {
    NumberInText number{quantity.value, quantity.percent};
    size_t end = quantity.end;
    for (bool more = true; more;) {
      if (left.changes || ChangesBehind(end)) return std::nullopt;
      if (left.negative) number.value = -number.value;
      number.percent = number.percent || left.percent;
      begin = left.signed_number ? begin - 1 : begin;
      more = begin > 0 && end < tokens_.size() && IsOpening(tokens_[begin - 1]) &&
             tokens_[begin - 1].partner == end && !IsSymbol(tokens_[end], U']');
      if (!more) break;
      --begin;
      ++end;
      if (ReadPercent(tokens_, end, &end)) number.percent = true;
      left = LookLeft(begin, quantity);
    }
    return number;
  }

  bool IsWordEnd(size_t at) const {
    return tokens_[at].kind == TokenKind::kWord || tokens_[at].kind == TokenKind::kName;
  }
  // Whether an operand ends with tokens_[at].
  bool IsOperand(size_t at) const {
    const Token& token = tokens_[at];
    return IsNumeral(token) || token.kind == TokenKind::kName || token.kind == TokenKind::kCommand ||
           token.kind == TokenKind::kWord || IsClosing(token) || IsSymbol(token, symbol::kConstant) ||
           IsSymbol(token, symbol::kDegree) || IsSymbol(token, U'%') || IsSymbol(token, U'!');
  }

  bool IsFraction(size_t at) const {
    return tokens_[at].kind == TokenKind::kVulgar || tokens_[at].kind == TokenKind::kFraction ||
           (at + 1 < tokens_.size() && IsSymbol(tokens_[at + 1], U'/'));
  }

  // "3D" is a word.
  bool IsDimension(size_t at, const Quantity& quantity) const {
    return tokens_[at].kind == TokenKind::kDigits && quantity.end == at + 1 &&
           quantity.end < tokens_.size() && tokens_[quantity.end].gap == Gap::kNone &&
           (tokens_[quantity.end].raw == "D" || tokens_[quantity.end].raw == "d");
  }

  // Whether the bracket at `at` opens what a function, a root or an exponent is of.
  bool IsArgument(size_t at) const {
    if (at == 0 || tokens_[at].gap == Gap::kBreak) return false;
    const Token& before = tokens_[at - 1];
    if (before.kind == TokenKind::kCommand || before.kind == TokenKind::kFraction ||
        IsSymbol(before, symbol::kRoot) || IsSymbol(before, U'^') || IsSymbol(before, U'_'))
      return true;
    if (before.kind == TokenKind::kWord && ChangesNumberBehind(before.raw)) return true;
    if (tokens_[at].gap > Gap::kMark) return false;
    if (IsClosing(before)) return at - 1 <= formula_end_ && formula_end_ > 0;
    const bool round = !IsSymbol(tokens_[at], U'{');
    return round && tokens_[at].gap == Gap::kNone &&
           (IsNumeral(before) || before.kind == TokenKind::kName || IsSymbol(before, symbol::kConstant) ||
            (before.kind == TokenKind::kWord && !IsUnspacedWord(before)) ||
            (IsSymbol(before, U'.') && before.gap == Gap::kNone && at > 1 && IsNumeral(tokens_[at - 2])));
  }

  Left LookLeft(size_t at, const Quantity& quantity) const {
    size_t begin = at;
    if (begin > 0 && tokens_[begin].gap <= Gap::kMark && tokens_[begin - 1].kind == TokenKind::kWord &&
        IsCurrencyCode(tokens_[begin - 1].raw))
      --begin;
    if (begin == 0 || tokens_[begin].gap == Gap::kBreak) return {};
    if (IsCompound(begin, quantity)) return {.changes = true};
    const size_t before = begin - 1;
    const Token& token = tokens_[before];
    if (IsMinusSign(token) || (token.kind == TokenKind::kWord && IsMinusWord(token.raw))) {
      Left left = Signed(before, begin, quantity);
      left.signed_number = begin == at;
      return left;
    }
    const bool operand = before > 0 && token.gap != Gap::kBreak && IsOperand(before - 1);
    switch (token.kind) {
      case TokenKind::kCommand:
      case TokenKind::kFraction:
        return {.changes = true};
      case TokenKind::kWord:
        if (token.raw == kPercentBefore) return {.percent = true};
        if (token.raw == "and" && last_.plain && last_.end == before && IsFraction(at))
          return {.changes = true};  // "3 and 1/2"
        return {.changes = ChangesBehindWord(before)};
      case TokenKind::kName:
        return {};
      case TokenKind::kSymbol:
        break;
      default:
        // After an index: "log_2 8".
        return {.changes =
                    tokens_[begin].gap == Gap::kNone || (before > 0 && IsSymbol(tokens_[before - 1], U'_'))};
    }
    switch (token.symbol) {
      case U'+':
        // "is +7"
        return {.changes = operand &&
                           !(tokens_[before - 1].kind == TokenKind::kWord && !IsLetter(tokens_[before - 1]) &&
                             token.gap == Gap::kBlank && tokens_[begin].gap <= Gap::kMark)};
      case U'/':
      case symbol::kTimes:
      case symbol::kDivide:
        return {.changes = operand};
      case U'^':
      case U'_':
      case symbol::kRoot:
      case symbol::kConstant:
      case symbol::kPlusMinus:
      case symbol::kRelation:
        return {.changes = true};
      case U':':
        return {.changes = operand && token.gap == tokens_[begin].gap && IsNumeral(tokens_[before - 1])};
      case U')':
      case U']':
      case U'}': {
        const bool index =
            token.partner != kNoPartner && token.partner > 0 && IsSymbol(tokens_[token.partner - 1], U'_');
        return {.changes = index || tokens_[begin].gap == Gap::kNone};
      }
      default:
        return {};
    }
  }

  // "5 ft 3 in", "3 million 200 thousand": one quantity in two pieces.
  bool IsCompound(size_t begin, const Quantity& quantity) const {
    if (!last_.compound || last_.end != begin || tokens_[begin].gap > Gap::kBlank) return false;
    const absl::string_view unit = tokens_[begin - 1].raw;
    const bool inches = (unit == "ft" || unit == "feet" || unit == "foot") && quantity.end < tokens_.size() &&
                        tokens_[quantity.end].raw == "in";
    return quantity.has_unit || quantity.scaled || inches;
  }

  bool ChangesBehindWord(size_t at) const {
    const Token& token = tokens_[at];
    if (IsLetter(token) && IsVariable(token) && at + 1 < tokens_.size() && tokens_[at + 1].gap == Gap::kNone)
      return true;
    const absl::string_view word = token.raw;
    if ((word == "times" || word == "plus" || word == "over") && at > 0) return IsNumeral(tokens_[at - 1]);
    if (word == "of" && at > 0 && token.gap != Gap::kBreak && tokens_[at - 1].kind == TokenKind::kWord)
      return IsMathNoun(tokens_[at - 1].raw);
    return ChangesNumberBehind(word);
  }

  // The minus sign or word at `sign`, before the number at `begin`.
  Left Signed(size_t sign, size_t begin, const Quantity& quantity) const {
    const Token& token = tokens_[sign];
    const bool word = token.kind == TokenKind::kWord, minus = IsSymbol(token, symbol::kMinus);
    const size_t after = token.raw.data() + token.raw.size() - text_.data();
    const bool close =
        tokens_[begin].gap <= Gap::kMark || (after < text_.size() && text_[after] == '\\');  // "-\,3"
    if (sign == 0 || token.gap == Gap::kBreak) {
      // "- 5" is an item of a list, where there are more lines.
      return {.negative = word || minus || close || one_line_};
    }
    const Token& before = tokens_[sign - 1];
    if (word) return {.changes = IsNumeral(before) || IsVariable(before), .negative = true};
    if (last_.end == sign && last_.end > 0) {
      const bool range = !minus && last_.number && !last_.ranged && last_.plain && quantity.plain &&
                         last_.value < quantity.value && token.gap == tokens_[begin].gap;
      return {.changes = !range, .ranged = true};
    }
    const bool apart = token.gap == Gap::kBlank && !close;  // " - "
    switch (before.kind) {
      case TokenKind::kCommand:
      case TokenKind::kFraction:
        return {.changes = true};
      case TokenKind::kName:
        return {.changes = !apart || minus};
      case TokenKind::kWord: {
        if (IsVariable(before) || (IsLetter(before) && !IsWordLetter(before.raw) && token.gap == Gap::kNone))
          return {.changes = true};
        return {.negative = minus || (close && (token.gap != Gap::kNone || IsUnspacedWord(before)))};
      }
      case TokenKind::kSymbol:
        break;
      default:
        return {.changes = true};
    }
    if (IsClosing(before)) {
      return {.changes = !(token.gap == Gap::kBlank && close), .negative = true};
    }
    switch (before.symbol) {
      case U'|':
        return {.changes = token.gap == Gap::kNone, .negative = true};
      case U'^':
      case U'_':
      case U'/':
      case U'+':
      case symbol::kTimes:
      case symbol::kDivide:
      case symbol::kRelation:
      case symbol::kRoot:
      case symbol::kConstant:
      case symbol::kPlusMinus:
      case symbol::kHyphen:
      case symbol::kMinus:
      case U'%':
      case U'!':
        return {.changes = true};
      case U'.':
      case U'?':
      case U'\u3002':
        return {.negative = close || minus};
      default:
        return {.negative = true};
    }
  }

  // Whether what begins at `at` changes the value of the number before it.
  bool ChangesBehind(size_t at) const {
    if (at >= tokens_.size() || tokens_[at].gap == Gap::kBreak) return false;
    const Token& token = tokens_[at];
    switch (token.kind) {
      case TokenKind::kDigits:
      case TokenKind::kName:
        return token.gap == Gap::kNone;
      case TokenKind::kVulgar:
      case TokenKind::kExponent:
        return token.gap <= Gap::kMark;
      case TokenKind::kFraction:
      case TokenKind::kCommand:
        return true;
      case TokenKind::kWord:
        if (IsUnspacedWord(token)) return false;
        if (ChangesNumberBefore(token.raw)) return true;
        if (token.raw == "and" && at + 2 < tokens_.size() && ChangesNumberBefore(tokens_[at + 2].raw))
          return true;  // "5 and a half"
        if (token.gap > Gap::kMark) return IsVariable(token);
        return token.gap == Gap::kNone ? token.raw.size() < 4 : IsVariable(token);
      case TokenKind::kSymbol:
        break;
    }
    if (IsOperator(token)) return IsJoined(at);
    switch (token.symbol) {
      case U'^':
      case U'_':
      case symbol::kRoot:
      case symbol::kConstant:
      case symbol::kPlusMinus:
      case symbol::kRelation:
      case U'\u2030':  // per mille
        return true;
      case U'!':
        return token.gap == Gap::kNone && IsFactorial(at);
      case U'(':
      case U'[':
        return token.gap == Gap::kNone && at + 1 < tokens_.size() &&
               (IsNumeral(tokens_[at + 1]) || IsLetter(tokens_[at + 1]) || IsMinusSign(tokens_[at + 1]));
      case U'.':
        // "0.(3)", "0.\overline{3}", "1e3.5"
        return token.gap == Gap::kNone && at + 1 < tokens_.size() && tokens_[at + 1].gap == Gap::kNone &&
               (IsSymbol(tokens_[at + 1], U'(') || tokens_[at + 1].kind == TokenKind::kCommand ||
                IsNumeral(tokens_[at + 1]));
      default:
        return unicode::IsLetter(token.symbol) || (token.symbol >= 0x300 && token.symbol <= 0x36F);
    }
  }

  // Whether an operand follows the operator at `at`. After a last number that is a variable or a constant.
  bool IsJoined(size_t at) const {
    if (at + 1 >= tokens_.size() || tokens_[at + 1].gap > Gap::kBlank) return false;
    const Token& next = tokens_[at + 1];
    if (next.kind == TokenKind::kCommand || next.kind == TokenKind::kFraction ||
        IsSymbol(next, symbol::kRoot) || IsSymbol(next, symbol::kConstant))
      return true;
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

  absl::string_view text_;
  std::vector<Token> tokens_;
  bool one_line_ = false, has_words_ = false;
  size_t formula_end_ = 0;  // numbers before it belong to a function, a root or an exponent
  Item last_;
};

}  // namespace

std::optional<NumberInText> LastNumber(absl::string_view text) { return Text(text).Last(); }

}  // namespace lvrpo
