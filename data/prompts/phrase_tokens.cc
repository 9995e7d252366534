#include "data/prompts/phrase_tokens.h"

#include <array>
#include <utility>

#include "data/unicode/unicode.h"

namespace lvrpo::phrase {
namespace {

constexpr size_t kLongestWord = 64;     // bytes
constexpr size_t kLongestQuote = 1000;  // characters between the marks; beyond, the mark stands alone

// Marks that open a quotation, and what closes it. The single ones are apostrophes too: they open before a
// word and close after one.
struct Quotation {
  char32_t open, close;
  bool single;
};
constexpr std::array<Quotation, 5> kQuotations = {{{U'"', U'"', false},
                                                   {U'\u201C', U'\u201D', false},
                                                   {U'\u00AB', U'\u00BB', false},
                                                   {U'\'', U'\'', true},
                                                   {U'\u2018', U'\u2019', true}}};

bool IsInWord(char32_t c) { return c != U'_' && (unicode::IsWordCharacter(c) || unicode::IsNumber(c)); }
bool IsJoint(char32_t c) {
  return c == U'-' || c == U'\'' || c == U'\u2019' || c == U'\u2010' || c == U'\u2011';
}
bool IsStop(char32_t c) {
  constexpr std::u32string_view kStops = U".;:!?()[]{}|\n\r\u2013\u2014\u2026\u3002";
  return kStops.find(c) != std::u32string_view::npos;
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view prompt) {
    const absl::string_view text(prompt.data(), prompt.size());
    for (size_t at = 0; at < text.size();) text_.push_back(unicode::NextCodePoint(text, &at));
    closing_.fill(0);
  }

  std::vector<Token> Run() {
    while (at_ < text_.size() && tokens_.size() < kMostTokens) Step();
    Add(Token::Kind::kStop);
    return std::move(tokens_);
  }

 private:
  void Step() {
    const char32_t c = text_[at_];
    if (IsInWord(c)) return Word();
    for (size_t which = 0; which < kQuotations.size(); ++which) {
      if (c == kQuotations[which].open && Opens(which)) {
        Add(Token::Kind::kQuote);
        at_ = closing_[which] + 1;
        return;
      }
    }
    ++at_;
    if (unicode::IsSpace(c) && c != U'\n' && c != U'\r') return;
    if (c == U'&') return AddWord("&", false);
    if (c == U'-' || IsStop(c)) return Add(Token::Kind::kStop);
    if (c != U'*' && c != U'_' && c != U'#') Add(Token::Kind::kComma);  // those three are mark-up
  }

  // Whether the mark at at_ begins a quotation; closing_[which] is then its end. Each closing mark is
  // searched for once.
  bool Opens(size_t which) {
    const Quotation& marks = kQuotations[which];
    if (marks.single && (at_ > 0 && IsInWord(text_[at_ - 1]))) return false;
    size_t& closing = closing_[which];
    if (closing <= at_) {
      closing = at_ + 1;
      while (closing < text_.size() && !Closes(marks, closing)) ++closing;
    }
    return closing < text_.size() && closing - at_ <= kLongestQuote;
  }

  bool Closes(const Quotation& marks, size_t at) const {
    if (text_[at] != marks.close) return false;
    if (!marks.single) return true;
    return !unicode::IsSpace(text_[at - 1]) && (at + 1 == text_.size() || !IsInWord(text_[at + 1]));
  }

  void Word() {
    const size_t begin = at_;
    while (at_ < text_.size() && (IsInWord(text_[at_]) || (IsJoint(text_[at_]) && at_ + 1 < text_.size() &&
                                                           IsInWord(text_[at_ + 1]))))
      ++at_;
    std::string word;
    for (size_t i = begin; i < at_ && word.size() <= kLongestWord; ++i) {
      const char32_t c = text_[i];
      unicode::AppendUtf8(!IsJoint(c) ? c : c == U'\'' || c == U'\u2019' ? U'\'' : U'-', &word);
    }
    std::string lower = unicode::ToLower(word);
    if (lower.size() > kLongestWord) return Add(Token::Kind::kComma);
    const bool capital = lower[0] != word[0];
    if (ClassOf(lower) != WordClass::kNoun || !lower.ends_with("'s")) {
      AddWord(std::move(lower), capital);
      // The apostrophe of "dogs' ".
      const bool mark = at_ < text_.size() && (text_[at_] == U'\'' || text_[at_] == U'\u2019');
      if (mark && tokens_.back().text.back() == 's') {
        ++at_;
        Add(Token::Kind::kPossessive);
      }
      return;
    }
    lower.resize(lower.size() - 2);
    AddWord(std::move(lower), capital);
    Add(Token::Kind::kPossessive);
  }

  void AddWord(std::string lower, bool capital) {
    const WordClass word_class = ClassOf(lower);
    tokens_.push_back({Token::Kind::kWord, std::move(lower), capital, word_class});
  }
  void Add(Token::Kind kind) { tokens_.push_back({kind, "", false, WordClass::kNoun}); }

  std::u32string text_;
  size_t at_ = 0;
  std::array<size_t, kQuotations.size()> closing_;  // where the next closing mark is, when beyond at_
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view prompt) { return Tokenizer(prompt).Run(); }

}  // namespace lvrpo::phrase
