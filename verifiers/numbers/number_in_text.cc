#include "verifiers/numbers/number_in_text.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "verifiers/answers/html_entities.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_passage.h"

namespace lvrpo {
namespace {

using namespace numbers;  // NOLINT: one subject, two files

constexpr absl::string_view kBoxPlace = "\uFFFC";  // stands for a box

class Text {
 public:
  explicit Text(absl::string_view text, const TokenizeOptions& options = {})
      : passage_(text, options), tokens_(passage_.tokens) {}

  std::optional<NumberInText> Last() {
    for (size_t at = 0; at < tokens_.size();) at = Visit(at);
    return last_.number;
  }

  // What the box is with its context, taken for 1.
  std::optional<NumberInText> Box() {
    for (size_t at = 0; at < tokens_.size();) {
      const size_t next = Visit(at);
      if (tokens_[at].kind == TokenKind::kBox) return last_.number;
      at = next;
    }
    return std::nullopt;
  }

 private:
  // Reads the token at `at`; returns the next position.
  size_t Visit(size_t at) {
    const Token& token = tokens_[at];
    if (at >= formula_end_ && IsOpening(token) && IsArgument(at))
      formula_end_ = token.partner != kNoPartner ? token.partner : LineEnd(at);
    const bool numeral =
        IsNumeral(token) || token.kind == TokenKind::kFraction || IsSymbol(token, U'(') ||
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
    if (IsCitation(at, quantity)) return quantity.end;
    last_ = Read(at, quantity);
    return quantity.end;
  }

  Item Read(size_t at, const Quantity& quantity) const {
    Item item;
    item.end = quantity.end;
    item.unit = quantity.unit;
    item.plain = quantity.plain;
    item.value = quantity.value;
    item.scale = quantity.scale;
    item.has_unit = quantity.has_unit;
    item.scaled = quantity.scaled;
    item.currency = quantity.currency;
    const Left left = LookLeft(passage_, at, quantity, last_);
    item.ranged = left.ranged;
    if (quantity.state == Quantity::State::kRead && at >= formula_end_ && !IsNumbering(at, quantity))
      item.number = Surrounded(at, quantity, left);
    return item;
  }

  // The number with its context, also around brackets that hold nothing else.
  std::optional<NumberInText> Surrounded(size_t begin, const Quantity& quantity, Left left) const {
    NumberInText number{quantity.value, quantity.percent};
    const bool box = tokens_[begin].kind == TokenKind::kBox;
    size_t end = quantity.end;
    for (bool more = true; more;) {
      if (left.changes || ChangesBehind(passage_, end)) return std::nullopt;
      if (box && ChangesBoxBefore(passage_, end)) return std::nullopt;
      if (left.negative) number.value = -number.value;
      number.percent = number.percent || left.percent;
      begin = left.signed_number ? begin - 1 : begin;
      more = begin > 0 && end < tokens_.size() && IsOpening(tokens_[begin - 1]) &&
             tokens_[begin - 1].partner == end && !IsSymbol(tokens_[end], U']');
      if (!more) break;
      --begin;
      ++end;
      if (ReadPercent(tokens_, end, &end)) number.percent = true;
      left = LookLeft(passage_, begin, quantity, last_);
    }
    return number;
  }

  bool IsWordEnd(size_t at) const {
    return tokens_[at].kind == TokenKind::kWord || tokens_[at].kind == TokenKind::kName;
  }

  size_t LineEnd(size_t at) const {
    for (++at; at < tokens_.size() && tokens_[at].gap != Gap::kBreak;) ++at;
    return at;
  }

  // "3D" is a word.
  bool IsDimension(size_t at, const Quantity& quantity) const {
    return tokens_[at].kind == TokenKind::kDigits && quantity.end == at + 1 &&
           quantity.end < tokens_.size() && tokens_[quantity.end].gap == Gap::kNone &&
           (tokens_[quantity.end].raw == "D" || tokens_[quantity.end].raw == "d");
  }

  // Whether the quantity is all that is in brackets right after the last number.
  bool IsBehindLast(size_t at, const Quantity& quantity, char32_t opening) const {
    if (at == 0 || last_.end == 0 || !quantity.plain || quantity.end != at + 1) return false;
    size_t before = at - 1;
    if (!IsSymbol(tokens_[before], opening) || tokens_[before].partner != at + 1) return false;
    if (tokens_[before].gap == Gap::kBreak || tokens_[before].gap == Gap::kNone) return false;
    if (before > last_.end && IsSymbol(tokens_[before - 1], U'.')) --before;
    return before == last_.end;
  }
  // "x = 5 [1]" has a reference after it, and "x = 5 (1)" the number of the equation, or another number.
  bool IsCitation(size_t at, const Quantity& quantity) const { return IsBehindLast(at, quantity, U'['); }
  bool IsNumbering(size_t at, const Quantity& quantity) const { return IsBehindLast(at, quantity, U'('); }

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

  const Passage passage_;
  const std::vector<Token>& tokens_;
  size_t formula_end_ = 0;  // numbers before it belong to a function, a root or an exponent
  Item last_;
};

}  // namespace

std::optional<NumberInText> LastNumber(absl::string_view text) {
  const std::string decoded = WithoutEntities(text);
  return Text(decoded).Last();
}

std::optional<NumberInText> NumberOfBox(const NumberInText& content, absl::string_view before,
                                        absl::string_view after) {
  std::string text = WithoutEntities(before);
  TokenizeOptions options;
  options.box = text.size();
  absl::StrAppend(&text, kBoxPlace, content.percent ? "%" : "", WithoutEntities(after));
  std::optional<NumberInText> number = Text(text, options).Box();
  if (!number) return std::nullopt;
  number->value *= content.value;
  if (!std::isfinite(number->value)) return std::nullopt;
  return number;
}

}  // namespace lvrpo
