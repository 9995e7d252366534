#include "verifiers/numbers/unit_end.h"

#include <string>

#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_powers.h"

namespace lvrpo::numbers {
namespace {

class Reader {
 public:
  explicit Reader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  size_t Unit(size_t at) const {
    size_t end = at;
    if (Symbol(at, symbol::kDegree) && tokens_[at].gap <= Gap::kBlank) {
      end = at + 1;
      if (IsUnitAt(end) && tokens_[end].raw.size() == 1) ++end;  // C, F
      return end;
    }
    if (Symbol(at, U'^') && tokens_[at].gap == Gap::kNone) return Ordinal(at);
    if (IsUnitAt(at)) {
      end = Raised(at + 1);
    } else if (Is(at, TokenKind::kWord) && tokens_[at].gap == Gap::kBlank && !IsLetter(tokens_[at]) &&
               !ChangesNumberBefore(tokens_[at].raw) && Raised(at + 1) > at + 1) {
      end = Raised(at + 1);  // any word of several letters with an exponent
    } else if (!(Symbol(at, U'/') && IsUnitAt(at + 1))) {
      return at;
    }
    return More(end);
  }

 private:
  bool Is(size_t at, TokenKind kind) const { return at < tokens_.size() && tokens_[at].kind == kind; }
  bool Symbol(size_t at, char32_t symbol) const {
    return at < tokens_.size() && IsSymbol(tokens_[at], symbol);
  }

  // Whether a known unit is at `at`; "m2" and "cm3" are units too.
  bool IsUnitAt(size_t at) const {
    if (at >= tokens_.size() || tokens_[at].gap > Gap::kBlank) return false;
    const absl::string_view raw = tokens_[at].raw;
    if (Is(at, TokenKind::kWord)) return IsUnit(raw) && !(raw == "in" && tokens_[at].gap == Gap::kBlank);
    return Is(at, TokenKind::kName) && (raw.back() == '2' || raw.back() == '3') &&
           IsUnit(raw.substr(0, raw.size() - 1));
  }

  // After a unit: its exponent.
  size_t Raised(size_t at) const {
    std::string exponent;
    size_t end = at;
    return ReadExponent(tokens_, at, &exponent, &end) ? end : at;
  }

  // The units that are multiplied with, or divided by, the ones before `end`.
  size_t More(size_t end) const {
    while (end < tokens_.size()) {
      const bool joined =
          Symbol(end, U'/') || Symbol(end, symbol::kTimes) ||
          (Is(end, TokenKind::kWord) && tokens_[end].gap == Gap::kBlank && IsPer(tokens_[end].raw));
      const size_t next = joined ? end + 1 : end;
      if (!IsUnitAt(next)) return end;
      const size_t after = Raised(next + 1);
      const bool goes_on =
          after > next + 1 || ((Symbol(after, U'/') || Symbol(after, symbol::kTimes)) && IsUnitAt(after + 1));
      if (!joined && !goes_on) return end;  // "5 m in ..." goes on with a word
      end = after;
    }
    return end;
  }

  // "^{th}".
  size_t Ordinal(size_t at) const {
    const size_t brace = at + 1;
    const bool ending = Symbol(brace, U'{') && Is(brace + 1, TokenKind::kWord) && Symbol(brace + 2, U'}') &&
                        (tokens_[brace + 1].raw == "th" || tokens_[brace + 1].raw == "st" ||
                         tokens_[brace + 1].raw == "nd" || tokens_[brace + 1].raw == "rd");
    return ending ? brace + 3 : at;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

size_t UnitEnd(const std::vector<Token>& tokens, size_t at) { return Reader(tokens).Unit(at); }

}  // namespace lvrpo::numbers
