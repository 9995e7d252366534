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
    if (Symbol(at, symbol::kDegree)) return One(at);
    if (Symbol(at, U'^') && tokens_[at].gap == Gap::kNone) return Ordinal(at);
    if (const size_t ending = OrdinalEnding(at); ending > at) return ending;
    if (IsUnitAt(at)) {
      end = Powered(at + 1);
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
           IsUnit(raw.substr(0, raw.size() - 1)) && !IsCapitals(raw.substr(0, raw.size() - 1));  // "5C2"
  }

  // The end of one known unit, without its exponent; of degrees with their scale.
  size_t One(size_t at) const {
    if (!Symbol(at, symbol::kDegree)) return IsUnitAt(at) ? at + 1 : at;
    if (tokens_[at].gap > Gap::kBlank) return at;
    return IsUnitAt(at + 1) && tokens_[at + 1].raw.size() == 1 ? at + 2 : at + 1;  // C, F
  }

  // After a unit: its exponent.
  size_t Raised(size_t at) const {
    std::string exponent;
    size_t end = at;
    return ReadExponent(tokens_, at, &exponent, &end) ? end : at;
  }

  // After a known unit: its exponent, also in words.
  size_t Powered(size_t at) const {
    const bool words = Is(at, TokenKind::kWord) && tokens_[at].gap == Gap::kBlank &&
                       (tokens_[at].raw == "squared" || tokens_[at].raw == "cubed");
    return words ? at + 1 : Raised(at);
  }

  // After units in brackets: "(kg K)".
  size_t Bracketed(size_t open) const {
    if (!Symbol(open, U'(') || tokens_[open].partner == kNoPartner) return open;
    for (size_t at = open + 1; at < tokens_[open].partner;) {
      if (at > open + 1 && (Symbol(at, symbol::kTimes) || Symbol(at, U'/'))) ++at;
      const size_t end = One(at);
      if (end == at) return open;
      at = Powered(end);
    }
    return tokens_[open].partner + 1;
  }

  // The units that are multiplied with, or divided by, the ones before `end`.
  size_t More(size_t end) const {
    while (end < tokens_.size()) {
      const bool joined =
          Symbol(end, U'/') || Symbol(end, symbol::kTimes) ||
          (Is(end, TokenKind::kWord) && tokens_[end].gap == Gap::kBlank && IsPer(tokens_[end].raw));
      const size_t next = joined ? end + 1 : end;
      if (const size_t close = joined ? Bracketed(next) : next; close > next) {
        end = close;
        continue;
      }
      const size_t one = One(next);
      if (one == next) return end;
      const size_t after = Powered(one);
      const bool glued = IsClosing(tokens_[end - 1]) && tokens_[next].gap == Gap::kNone;  // "m^{2}K"
      const bool goes_on =
          after > one || ((Symbol(after, U'/') || Symbol(after, symbol::kTimes)) && IsUnitAt(after + 1));
      if (!joined && !goes_on && !glued) return end;  // "5 m in ..." goes on with a word
      end = after;
    }
    return end;
  }

  // Right after the digits: "er", "-go".
  size_t OrdinalEnding(size_t at) const {
    if (at >= tokens_.size() || tokens_[at].gap != Gap::kNone) return at;
    if (Is(at, TokenKind::kWord)) return IsOrdinalEnding(tokens_[at].raw) ? at + 1 : at;
    const bool hyphenated = Symbol(at, symbol::kHyphen) && Is(at + 1, TokenKind::kWord) &&
                            tokens_[at + 1].gap == Gap::kNone &&
                            IsHyphenatedOrdinalEnding(tokens_[at + 1].raw);
    return hyphenated ? at + 2 : at;
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
