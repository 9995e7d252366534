#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_passage.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostCounters = 2;  // characters between two pieces in scripts without blanks

constexpr absl::string_view kCurrency = "dollar";  // the largest unit of any

// "5 Uhr 30"
bool IsHour(absl::string_view unit) { return GoesOnIn("day", unit) && GoesOnIn(unit, "minute"); }

class Pieces {
 public:
  Pieces(const Passage& passage, const Quantity& second, const Item& first)
      : tokens_(passage.tokens), second_(second), first_(first) {}

  bool Are(size_t begin) const {
    if (IsBehindNumberWord(begin)) return true;
    if (first_.end == 0 || first_.end > begin || tokens_[begin].gap == Gap::kBreak) return false;
    if (AreCounted(begin)) return true;
    size_t at = first_.end;
    const absl::string_view small = Unit(second_.unit),
                            large = first_.currency ? kCurrency : Unit(first_.unit);
    const bool goes_on = small.empty() ? second_.plain && IsHour(large) : GoesOnIn(large, small);
    if (goes_on && at == first_.unit && !first_.currency) ++at;  // a unit that is no known symbol
    if (at < begin && IsSymbol(tokens_[at], U'.') && tokens_[at].gap == Gap::kNone) ++at;  // "2 Std. 3 Min."
    const bool comma = at < begin && IsSymbol(tokens_[at], U',');
    if (comma) ++at;
    const bool joined = at < begin && ((tokens_[at].kind == TokenKind::kWord && IsAndWord(tokens_[at].raw)) ||
                                       IsSymbol(tokens_[at], U'+'));
    if (joined) ++at;
    if (at != begin) return false;
    if (goes_on || (joined && first_.plain && IsFraction(begin))) return true;  // "3 and 1/2"
    if (first_.scaled && (!comma || second_.scaled) && second_.scale < first_.scale)
      return true;  // "2 hundred and 5"
    if (comma || joined) return false;
    if (IsSymbol(tokens_[first_.end - 1], symbol::kDegree)) return true;  // "5° 30"
    return first_.has_unit && second_.has_unit;
  }

 private:
  bool IsWord(size_t at) const { return tokens_[at].kind == TokenKind::kWord; }

  // "one and 1/2", "two hundred and 5".
  bool IsBehindNumberWord(size_t begin) const {
    size_t word = begin - 1;
    const bool joined = word > 0 && ((IsWord(word) && IsAndWord(tokens_[word].raw)) ||
                                     IsSymbol(tokens_[word], symbol::kHyphen));
    if (joined) --word;
    if (!IsWord(word) || tokens_[word + 1].gap == Gap::kBreak || !IsNumberWord(tokens_[word].raw))
      return false;
    return IsFraction(begin) || (joined && word > 0 && IsWord(word - 1) && !IsUnspacedWord(tokens_[word]) &&
                                 IsNumberWord(tokens_[word - 1].raw));
  }

  bool IsFraction(size_t at) const {
    return tokens_[at].kind == TokenKind::kVulgar || tokens_[at].kind == TokenKind::kFraction ||
           (at + 1 < tokens_.size() && IsSymbol(tokens_[at + 1], U'/') && !second_.plain);
  }

  absl::string_view Unit(size_t at) const {
    return at < tokens_.size() && tokens_[at].kind == TokenKind::kWord && tokens_[at].gap <= Gap::kBlank
               ? tokens_[at].raw
               : "";
  }

  // "3月5", "2元5": nothing but counters between.
  bool AreCounted(size_t begin) const {
    const size_t from = first_.scaled ? first_.end : first_.unit;
    if (begin <= from || begin - from > kMostCounters || tokens_[begin].gap != Gap::kNone) return false;
    for (size_t at = from; at < begin; ++at) {
      if (!IsUnspacedWord(tokens_[at]) || tokens_[at].gap != Gap::kNone) return false;
    }
    return true;
  }

  const std::vector<Token>& tokens_;
  const Quantity& second_;
  const Item& first_;
};

}  // namespace

bool IsSecondPiece(const Passage& passage, size_t begin, const Quantity& quantity, const Item& last) {
  return Pieces(passage, quantity, last).Are(begin);
}

}  // namespace lvrpo::numbers
