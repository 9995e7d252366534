#include "verifiers/choice_letter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "data/unicode.h"
#include "re2/re2.h"
#include "verifiers/folded.h"

namespace lvrpo {
namespace {

// What may stand around a letter: brackets, quotes, Markdown, LaTeX.
constexpr char kOpening[] = R"((?:[*_$"'`(\[{ \t]|\\(?:boxed|text|textbf|mathbf|mathrm)\{)*)";
constexpr char kClosing[] = R"([*_$"'`)\]}]*)";

re2::StringPiece Piece(absl::string_view text) { return {text.data(), text.size()}; }

// A letter and nothing else.
const RE2& Alone() {
  static const RE2* const pattern =
      new RE2(absl::StrCat(kOpening, "([A-Za-z])", kClosing, "[.:,;!]?", kClosing, "[ \\t]*"));
  return *pattern;
}
// A letter and a delimiter at the beginning of a line.
const RE2& Leading() {
  static const RE2* const pattern =
      new RE2("[*_ \\t]*(?:[(\\[]([A-Za-z])[)\\]]|([A-Z])[*_]*[.):])[*_]*(?:[ \\t].*)?");
  return *pattern;
}
// What a claim begins with.
const RE2& Statement() {
  static const RE2* const pattern =
      new RE2(R"re((?i)\b(?:answer|(?:correct|right|best)\s+(?:option|choice))\b[*_"']*\s*)re"
              R"re((?:(?:is|was|(?:(?:would|should|must)\s+)?be)\b\s*:?|[:=])[*_]*\s*(?:either\b\s*)?)re"
              R"re((?:the\s+)?(?:(?:option|choice|letter)\b\s*)?)re");
  return *pattern;
}
const RE2& Boxed() {
  static const RE2* const pattern =
      new RE2(R"(\\boxed\{\s*(?:\\(?:text|textbf|mathbf|mathrm)\{)?\s*\(?\s*([A-Za-z])\s*[).]?\s*\})");
  return *pattern;
}
// A letter where a statement goes on: opening, letter, closing.
const RE2& Claim() {
  static const RE2* const pattern = new RE2(absl::StrCat("(", kOpening, ")([A-Za-z])(", kClosing, ")"));
  return *pattern;
}
// What joins a second letter to the first.
const RE2& Joint() {
  static const RE2* const pattern =
      new RE2(R"([ \t]*(?:,[ \t]*(?:or\b|and\b)?|/|&|or\b|and\b)[ \t]*(?:option|choice)?)");
  return *pattern;
}

char Upper(re2::StringPiece letter) { return absl::ascii_toupper(static_cast<unsigned char>(letter[0])); }

// Whether the letter is meant as one, by what surrounds it: "I think", "a dog" and "It" are words.
bool IsClaim(re2::StringPiece opening, char letter, re2::StringPiece behind) {
  if (!behind.empty()) {
    size_t at = 0;
    const char32_t next = unicode::NextCodePoint({behind.data(), behind.size()}, &at);
    if (unicode::IsLetter(next) || unicode::IsNumber(next) || next == U'\u2019') return false;
  }
  const bool bracketed = opening.find('(') != re2::StringPiece::npos ||
                         opening.find('[') != re2::StringPiece::npos ||
                         opening.find('{') != re2::StringPiece::npos;
  const bool word_follows = behind.size() > 1 && (behind[0] == ' ' || behind[0] == '\t') &&
                            absl::ascii_isalpha(static_cast<unsigned char>(behind[1]));
  if (bracketed || !word_follows) return true;
  return absl::ascii_isupper(static_cast<unsigned char>(letter)) && letter != 'I';
}

// One text of choices or of an answer, without the marks at its end.
std::string Comparable(absl::string_view text) {
  std::string folded = Folded(text, Spaces::kSingle);
  while (!folded.empty() && absl::StrContains(".!*\"' ", absl::string_view(&folded.back(), 1)))
    folded.pop_back();
  return folded;
}

class Claims {
 public:
  explicit Claims(const std::vector<std::string>& choices) {
    for (const std::string& choice : choices) {
      choices_.push_back(Comparable(choice));
      most_bytes_ = std::max(most_bytes_, 3 * choice.size() + 16);
    }
  }

  std::set<char> letters;

  // Whether `text` is a choice's own text.
  bool AddChoice(absl::string_view text) {
    if (text.size() > most_bytes_) return false;
    const std::string comparable = Comparable(text);
    bool found = false;
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (choices_[i] != comparable) continue;
      letters.insert(static_cast<char>('A' + i));
      found = true;
    }
    return found;
  }

  void AddStatements(absl::string_view answer) {
    re2::StringPiece letter;
    for (re2::StringPiece rest = Piece(answer); RE2::FindAndConsume(&rest, Boxed(), &letter);) {
      letters.insert(Upper(letter));
    }
    for (re2::StringPiece rest = Piece(answer); RE2::FindAndConsume(&rest, Statement());) {
      if (!AddChoice(Line(rest))) AddJoined(rest);
    }
  }

  void AddLines(absl::string_view answer) {
    for (const absl::string_view line : absl::StrSplit(answer, absl::ByAnyChar("\r\n"))) {
      re2::StringPiece a, b;
      if (RE2::FullMatch(Piece(line), Alone(), &a) || RE2::FullMatch(Piece(line), Leading(), &a, &b)) {
        letters.insert(Upper(a.empty() ? b : a));
      }
    }
  }

 private:
  // "B", "A or B", "A, B and C".
  void AddJoined(re2::StringPiece rest) {
    re2::StringPiece opening, letter, closing;
    while (RE2::Consume(&rest, Claim(), &opening, &letter, &closing) && IsClaim(opening, letter[0], rest)) {
      letters.insert(Upper(letter));
      if (!RE2::Consume(&rest, Joint())) return;
    }
  }

  // The text up to the line's end, or a piece of it that is too long for a choice.
  absl::string_view Line(re2::StringPiece rest) const {
    const absl::string_view text = absl::string_view(rest.data(), rest.size()).substr(0, most_bytes_ + 1);
    return text.substr(0, text.find('\n'));
  }

  std::vector<std::string> choices_;
  size_t most_bytes_ = 0;  // more cannot fold to a choice
};

}  // namespace

std::set<char> ClaimedLetters(absl::string_view answer, const std::vector<std::string>& choices) {
  answer = absl::StripAsciiWhitespace(answer);
  re2::StringPiece letter;
  if (RE2::FullMatch(Piece(answer), Alone(), &letter)) return {Upper(letter)};
  Claims claims(choices);
  if (claims.AddChoice(answer)) return claims.letters;
  claims.AddStatements(answer);
  if (claims.letters.empty()) claims.AddLines(answer);
  return claims.letters;
}

}  // namespace lvrpo
