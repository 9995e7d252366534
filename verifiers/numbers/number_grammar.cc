#include "verifiers/numbers/number_grammar.h"

#include <cmath>
#include <optional>

#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_scales.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_value.h"
#include "verifiers/numbers/unit_end.h"

namespace lvrpo::numbers {
namespace {

using State = Quantity::State;

// Words and signs after a number.
class AfterReader {
 public:
  explicit AfterReader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  Quantity Read(size_t at, const Value& number) const {
    Quantity quantity;
    quantity.end = number.end;
    quantity.state = number.bad ? State::kBad : State::kRead;
    quantity.value = number.value;
    quantity.plain = number.whole;
    quantity.scale = 1;
    quantity.currency = IsCurrency(at);
    ReadScales(&quantity);
    if (!std::isfinite(quantity.value)) quantity.state = State::kBad;
    if (ReadPercent(tokens_, quantity.end, &quantity.end)) {
      quantity.percent = true;
    } else {
      const size_t after = UnitEnd(tokens_, quantity.end);
      quantity.has_unit = after > quantity.end;
      quantity.end = after;
    }
    return quantity;
  }

 private:
  bool IsWord(size_t at) const { return at < tokens_.size() && tokens_[at].kind == TokenKind::kWord; }

  // Whether the number at `at` has a currency before it.
  bool IsCurrency(size_t at) const {
    if (tokens_[at].currency || at == 0 || tokens_[at].gap > Gap::kBlank) return tokens_[at].currency;
    const Token& before = tokens_[at - 1];
    return IsMinusSign(before) ? before.currency
                               : before.kind == TokenKind::kWord && IsCurrencyCode(before.raw);
  }

  // Whether a hyphen joins a scale word to the number: "5-million".
  bool IsHyphenated(size_t at) const {
    return at + 1 < tokens_.size() && IsSymbol(tokens_[at], symbol::kHyphen) &&
           tokens_[at].gap == Gap::kNone && IsWord(at + 1) && tokens_[at + 1].gap == Gap::kNone &&
           tokens_[at + 1].raw.size() > 2 && ScaleOf(tokens_[at + 1].raw, {});
  }

  // All scale words that follow each other.
  void ReadScales(Quantity* quantity) const {
    if (IsHyphenated(quantity->end)) ++quantity->end;
    for (size_t& at = quantity->end; IsWord(at) && tokens_[at].gap <= Gap::kBlank; ++at) {
      const bool glued = tokens_[at].gap <= Gap::kMark;
      const std::optional<double> scale =
          ScaleOf(tokens_[at].raw, {glued, quantity->currency && !quantity->scaled});
      if (!scale) break;
      quantity->scale *= *scale;
      quantity->scaled = true;
      quantity->plain = false;
    }
    quantity->value *= quantity->scale;
    quantity->unit = quantity->end;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

bool ReadPercent(const std::vector<Token>& tokens, size_t at, size_t* end) {
  if (at >= tokens.size() || tokens[at].gap > Gap::kBlank) return false;
  if (IsSymbol(tokens[at], U'%') || (tokens[at].kind == TokenKind::kWord && IsPercentWord(tokens[at].raw))) {
    *end = at + 1;
    return true;
  }
  const bool two = at + 1 < tokens.size() && tokens[at].kind == TokenKind::kWord &&
                   tokens[at + 1].kind == TokenKind::kWord && tokens[at + 1].gap == Gap::kBlank &&
                   ArePercentWords(tokens[at].raw, tokens[at + 1].raw);
  if (two) *end = at + 2;
  return two;
}

Quantity ReadQuantity(const std::vector<Token>& tokens, size_t at) {
  const Value number = ReadValue(tokens, at);
  return number.found ? AfterReader(tokens).Read(at, number) : Quantity();
}

}  // namespace lvrpo::numbers
