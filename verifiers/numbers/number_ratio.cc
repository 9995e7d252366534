#include "verifiers/numbers/number_ratio.h"

#include <cmath>
#include <optional>

#include "verifiers/number_tokens/number_scales.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/number_tokens/word_set.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostWords = 6;  // between the two numbers
constexpr size_t kYearDigits = 4;

// What stands between the numbers, perhaps with "every", "a" or "the" after it. "of" may follow a noun ("3
// people of 10"), "in" only the number.
bool IsPartitive(absl::string_view word) {
  static const auto* const words = new WordSet(
      "of von vom aus sur parmi su dentre \u0438\u0437 \u0437 \u0456\u0437 op van uit av af z ze");
  return words->Has(word);
}
bool Divides(absl::string_view word) {
  static const auto* const words = new WordSet(
      "in auf dans de des di en em por entre sobre \u043D\u0430 p\u00E5 dari trong din "
      "\u03B1\u03C0\u03CC \u03C3\u03C4\u03BF\u03C5\u03C2 \u03C3\u03C4\u03B1 \u0645\u0646 "
      "\u05DE\u05EA\u05D5\u05DA");
  return words->Has(word) || IsPartitive(word);
}
bool IsEach(absl::string_view word) {
  static const auto* const words = new WordSet(
      "each every je jede jeden jeweils chaque cada ogni \u043A\u0430\u0436\u0434\u044B\u0445 "
      "\u043A\u0430\u0436\u0434\u044B\u0435 elke iedere varje hver setiap m\u1ED7i");
  return words->Has(word);
}
bool IsArticle(absl::string_view word) {
  static const auto* const words = new WordSet(
      "a an one about approximately roughly ein eine einer einem un une uno una um uma een en et");
  return words->Has(word);
}
bool IsDefinite(absl::string_view word) {
  static const auto* const words = new WordSet(
      "the these those all my our your his her their der die das den dem le la les el los las il lo gli i "
      "os as de het \u044D\u0442\u0438\u0445");
  return words->Has(word);
}
// Nouns of ratios: "5 parts in 1000".
bool IsPartsWord(absl::string_view word) {
  static const auto* const words = new WordSet(
      "part parts teil teile partie parties parte partes parti \u0447\u0430\u0441\u0442\u044C "
      "\u0447\u0430\u0441\u0442\u0438 \u0447\u0430\u0441\u0442\u0435\u0439 deel delen del dele delar");
  return words->Has(word);
}
// Of scripts without blanks, where the whole comes first: "10个中有3个".
bool DividesWhole(absl::string_view word) {
  static const auto* const words = new WordSet(
      "\u4E2D \u91CC \u88E1 \u88CF \u4E4B\u4E2D \u5F53\u4E2D \u306E\u3046\u3061 \u306B\u3064\u304D "
      "\u3042\u305F\u308A \u5F53\u305F\u308A \uC911 \uC911\uC5D0 \uC911\uC5D0\uC11C \uAC00\uC6B4\uB370 "
      "\uB2F9");
  return words->Has(word);
}
bool IsThere(absl::string_view word) {
  static const auto* const words = new WordSet("\u6709 \u5C31 \u53EA \u4EC5 \u306E");
  return words->Has(word);
}

struct Ratio {
  size_t second = 0;  // its other number; 0: there is none
  bool definite = false;
};

class RatioReader {
 public:
  explicit RatioReader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  // Of the words that begin at `at`, after a number.
  Ratio Read(size_t at) const {
    if (IsWord(at) && IsUnspacedWord(tokens_[at])) return OfWhole(at);
    const bool parts = IsPartsWord(Word(at));
    const bool noun = !parts && IsWord(at) && !BeginsDivision(Word(at));
    if (parts || noun) ++at;
    bool divided = false, partitive = false, strong = false;  // strong: "per", "out of", "in every"
    Ratio ratio;
    for (size_t words = 0; words < kMostWords && IsWord(at); ++words, ++at) {
      const absl::string_view word = Word(at);
      const bool each = IsPer(word) || IsEach(word);
      strong = strong || each || word == "out";
      partitive = partitive || IsPartitive(word);
      if (each || Divides(word)) {
        divided = true;
      } else if (divided && IsDefinite(word)) {
        ratio.definite = true;
      } else if (!(divided && IsArticle(word)) && !(words == 0 && BeginsDivision(word))) {
        break;
      }
    }
    if (divided && (strong || partitive || !noun) && IsNumber(at, strong)) ratio.second = at;
    return ratio;
  }

 private:
  bool IsWord(size_t at) const {
    return at < tokens_.size() && tokens_[at].kind == TokenKind::kWord && tokens_[at].gap != Gap::kBreak;
  }
  absl::string_view Word(size_t at) const { return IsWord(at) ? tokens_[at].raw : ""; }
  static bool BeginsDivision(absl::string_view word) {
    return Divides(word) || IsPer(word) || IsEach(word) || word == "out" || word == "for";
  }

  // Digits, or a word such as "ten" and "million". After no more than "in" a year is none.
  bool IsNumber(size_t at, bool strong) const {
    if (at >= tokens_.size() || tokens_[at].gap == Gap::kBreak) return false;
    if (IsNumeral(tokens_[at])) return strong || !IsYear(tokens_[at]);
    if (!IsWord(at)) return false;
    const std::optional<double> scale = ScaleOf(Word(at), {});
    return IsNumberWord(Word(at)) || (scale && (strong || std::isfinite(*scale)));
  }
  static bool IsYear(const Token& token) {
    const absl::string_view year = token.raw;
    return token.kind == TokenKind::kDigits && year.size() == kYearDigits && year.substr(2) != "00" &&
           year >= "1100" && year < "2100";
  }

  // "10个中有3": counters, a word that divides what was counted, and the other number.
  Ratio OfWhole(size_t at) const {
    for (size_t words = 0; words < kMostWords && IsWord(at) && IsUnspacedWord(tokens_[at]); ++words, ++at) {
      if (!DividesWhole(Word(at))) continue;
      size_t next = at + 1;
      while (next < at + kMostWords && IsThere(Word(next))) ++next;
      if (IsNumber(next, true)) return {next, false};
    }
    return {};
  }

  const std::vector<Token>& tokens_;
};

// "a ratio of 3 to 2": the words between the numbers, and those before the first.
bool IsNamedRatio(const std::vector<Token>& tokens, size_t last, size_t end) {
  static const auto* const words = new WordSet("ratio odds proportion scale");
  return last + 1 == end && tokens[last].raw == "to" && last > 2 && tokens[last - 2].raw == "of" &&
         words->Has(tokens[last - 3].raw);
}

bool IsPercent(const Token& token) {
  return IsSymbol(token, U'%') ||
         (token.kind == TokenKind::kWord && (IsPercentWord(token.raw) || IsCent(token.raw)));
}

}  // namespace

bool IsRatioAfter(const std::vector<Token>& tokens, size_t begin) {
  if (begin > 0 && IsPercent(tokens[begin - 1])) return false;  // "20% of 50"
  const Ratio ratio = RatioReader(tokens).Read(begin);
  return ratio.second > 0 && !ratio.definite;
}

bool IsRatioBefore(const std::vector<Token>& tokens, size_t last, size_t end) {
  const RatioReader reader(tokens);
  if (last > 0 && last < end) {
    if (reader.Read(last).second == end || IsNamedRatio(tokens, last, end)) return true;
    const bool aside = IsSymbol(tokens[last], U'(') || IsSymbol(tokens[last], U',');  // "8 (out of 10)"
    if (aside && tokens[last + 1].raw == "out" && reader.Read(last + 1).second == end) return true;
  }
  for (size_t begin = end == 0 ? 0 : end - 1; begin > 0 && begin + kMostWords > end; --begin) {
    const Token& first = tokens[begin - 1];
    if (first.kind == TokenKind::kWord && IsNumberWord(first.raw) && reader.Read(begin).second == end)
      return true;
  }
  return false;
}

}  // namespace lvrpo::numbers
