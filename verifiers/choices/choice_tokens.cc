#include "verifiers/choices/choice_tokens.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "verifiers/answers/folded.h"
#include "verifiers/choices/choice_markup.h"
#include "verifiers/choices/choice_phrases.h"
#include "verifiers/lexicon/choice_lexicon.h"
#include "verifiers/lexicon/choice_symbols.h"

namespace lvrpo {
namespace {

constexpr size_t kMostBoxBytes = 4096;
constexpr size_t kMostTagBytes = 80;

class Reader {
 public:
  Reader(absl::string_view text, bool boxes)
      : text_(text), boxes_(boxes), money_(MoneySigns(text)), closing_(ClosingBraces(text)), marks_(text) {}

  ChoiceText Read() && {
    while (at_ < text_.size()) Step();
    Add(Term::kLine, "\n");
    JoinPhrases(&read_);
    return std::move(read_);
  }

 private:
  void Step() {
    const char32_t c = CodePointAt(text_, at_);
    if (c < 0x80 && !IsWordPart(c)) return Mark(static_cast<char>(c));
    if (IsWordPart(c)) return Word();
    if (IsEastAsian(c)) return EastAsian();
    unicode::NextCodePoint(text_, &(end_ = at_));
    if (unicode::IsSpace(c)) return Skip(end_, true);
    Other(c);
  }

  void Add(Term term, absl::string_view piece) {
    read_.pieces.emplace_back(piece);
    Token token;
    token.term = term;
    token.last = read_.pieces.size();
    token.first = token.last - 1;
    token.spaced = spaced_;
    read_.tokens.push_back(token);
    spaced_ = false;
  }
  void Skip(size_t end, bool blank) {
    at_ = end;
    spaced_ = spaced_ || blank;
  }
  void Add(Term term, absl::string_view piece, size_t end) {
    Add(term, piece);
    at_ = end;
  }

  void Word() {
    const size_t end = WordEnd(text_, at_);
    const absl::string_view word = text_.substr(at_, end - at_);
    Add(Term::kWord, Folded(word, Spaces::kSingle), end);
    if (word.size() != 1 || !absl::ascii_isalpha(static_cast<unsigned char>(word[0]))) return;
    Token& token = read_.tokens.back();
    token.term = Term::kLetter;
    token.letter = absl::ascii_toupper(static_cast<unsigned char>(word[0]));
    token.small = absl::ascii_islower(static_cast<unsigned char>(word[0]));
  }

  void EastAsian() {
    Term term = Term::kWord;
    const size_t end = Lexicon::Get().EastAsianEnd(text_, at_, &term);
    Add(term, text_.substr(at_, end - at_), end);
  }

  bool AtLineStart() const { return read_.tokens.empty() || read_.tokens.back().term == Term::kLine; }

  void Mark(char c) {
    const absl::string_view piece = text_.substr(at_, 1);
    switch (c) {
      case '~':
        return Tilde();
      case '*':
        return Stars();
      case '$':
        return money_.count(at_) != 0 ? Add(Term::kMark, piece, at_ + 1) : Skip(at_ + 1, false);
      case '#':
      case '>':
        return LineMark();
      case '"':
      case '\'':
        return Add(marks_.IsPrime(at_) ? Term::kMark : Term::kQuote, piece, at_ + 1);
      case '-':
      case '=':
        if (at_ + 1 < text_.size() && text_[at_ + 1] == '>') return Add(Term::kColon, ":", at_ + 2);
        if (marks_.IsHighlight(at_)) return Skip(at_ + 2, false);
        return c == '-' ? Dash() : Add(Term::kEqual, piece, at_ + 1);
      case '\\':
        return Command();
      case '<':
        return Tag();
      default:
        return Punctuation(c);
    }
  }

  void Punctuation(char c) {
    if (c == ' ' || c == '\t' || c == '|') return Skip(at_ + 1, true);
    if (c == '`' || c == '_') return Skip(at_ + 1, false);
    const Term term = SymbolTerm(static_cast<unsigned char>(c));
    if (term == Term::kLine) return Add(term, "\n", at_ + 1);
    if (term == Term::kOpen) return Add(term, "(", at_ + 1);
    if (term == Term::kClose)
      return left_out_.count(at_) != 0 ? Skip(at_ + 1, true) : Add(term, ")", at_ + 1);
    if (c == '.' && !read_.pieces.empty() && IsAbbreviation(read_.pieces.back())) return Skip(at_ + 1, true);
    Add(term, text_.substr(at_, 1), at_ + 1);
  }

  // A minus, which in a box may be apart from its number; or a dash.
  void Dash() {
    const size_t next = text_.find_first_not_of(' ', at_ + 1);
    const bool apart = !boxes_ && AtLineStart() && next != text_.npos && next > at_ + 1 &&
                       absl::ascii_isdigit(static_cast<unsigned char>(text_[next]));
    if (apart) return Add(Term::kMark, "-", next);
    Add(IsSign(text_, at_) ? Term::kMark : Term::kDash, "-", at_ + 1);
  }

  void Tilde() {
    if (const size_t end = AfterStruck(text_, at_); end > at_) return Skip(end, true);
    if (IsSign(text_, at_)) return Add(Term::kMark, "~", at_ + 1);
    Skip(at_ + 1, true);
  }

  void Stars() {
    const size_t end = std::min(text_.find_first_not_of('*', at_), text_.size());
    if (marks_.IsFootnote(at_, end)) return Add(Term::kMark, "*", end);
    Skip(end, false);
  }

  // A heading's or quotation's mark, and otherwise itself.
  void LineMark() {
    if (boxes_ && AtLineStart() && !Compares(text_, at_)) return Skip(at_ + 1, false);
    if (text_.substr(at_, 2) == ">>") return Add(Term::kClose, ")", at_ + 2);
    Add(Term::kMark, text_.substr(at_, 1), at_ + 1);
  }

  void Box(size_t begin, size_t end, size_t after) {
    Add(Term::kBox, text_.substr(begin, end - begin), after);
  }

  void Command() {
    const absl::string_view rest = text_.substr(at_);
    for (const absl::string_view box : kBoxes) {
      if (!boxes_ || !absl::StartsWith(rest, box)) continue;
      const size_t begin = at_ + box.size();
      const auto closing = closing_.find(begin - 1);
      if (closing != closing_.end() && closing->second - begin <= kMostBoxBytes)
        return Box(begin, closing->second, closing->second + 1);
    }
    OtherCommand(rest);
  }

  void OtherCommand(absl::string_view rest) {
    size_t end = 1;
    while (end < rest.size() && absl::ascii_isalpha(static_cast<unsigned char>(rest[end]))) ++end;
    const absl::string_view command = rest.substr(1, end - 1);
    if (command.empty()) return Escaped(rest);
    const auto argument = closing_.find(at_ + end);
    if (argument != closing_.end() && IsCrossingOut(command)) return Skip(argument->second + 1, true);
    if (IsColoring(command) && argument != closing_.end()) {
      const auto content = closing_.find(argument->second + 1);
      if (content != closing_.end()) left_out_.insert(content->second);
      return Skip(argument->second + (content == closing_.end() ? 1 : 2), true);
    }
    if (IsFormatting(command)) {
      if (argument != closing_.end()) left_out_.insert(argument->second);
      return Skip(at_ + end + (argument == closing_.end() ? 0 : 1), true);
    }
    if (IsArrow(command)) return Add(Term::kColon, ":", at_ + end);
    Add(Term::kWord, command == "therefore" ? "therefore" : absl::StrCat("\\", command), at_ + end);
  }

  // A backslash and one character.
  void Escaped(absl::string_view rest) {
    const char c = rest.size() > 1 ? rest[1] : ' ';
    if (c == '\\') return Add(Term::kLine, "\n", at_ + 2);
    if (c == '{') return Add(Term::kOpen, "(", at_ + 2);
    if (c == '}') return Add(Term::kClose, ")", at_ + 2);
    if (c == '%' || c == '$') return Add(Term::kMark, rest.substr(1, 1), at_ + 2);
    Skip(at_ + (static_cast<unsigned char>(c) < 0x80 ? std::min<size_t>(2, rest.size()) : 1), true);
  }

  void Tag() {
    const absl::string_view rest = text_.substr(at_, kMostBoxBytes);
    for (const auto& [opening, closing] : kTagBoxes) {
      if (!boxes_ || !absl::StartsWithIgnoreCase(rest, opening)) continue;
      const size_t end = rest.find(closing);
      if (end != absl::string_view::npos)
        return Box(at_ + opening.size(), at_ + end, at_ + end + closing.size());
    }
    if (absl::StartsWith(rest, "<<")) return Add(Term::kOpen, "(", at_ + 2);
    if (!Element(rest)) Add(Term::kMark, "<", at_ + 1);
  }

  // "<B>" that nothing closes: the letter, as a prompt shows it ("Answer: <letter>").
  static bool IsLetterInAngles(absl::string_view rest) {
    return rest.size() > 2 && absl::ascii_isupper(static_cast<unsigned char>(rest[1])) && rest[2] == '>' &&
           !absl::StrContains(rest.substr(0, kMostTagBytes), absl::StrCat("</", rest.substr(1, 2)));
  }

  // Whether an HTML element's tag, or all of an element that is a box or a deletion, was read.
  bool Element(absl::string_view rest) {
    const ElementTag tag = ElementTagAt(rest);
    if (tag.length == 0) return false;
    if (IsLetterInAngles(rest)) {
      Add(Term::kOpen, "(", at_ + 1);
      Word();
      Add(Term::kClose, ")", at_ + 1);
      return true;
    }
    if (IsInline(tag.element)) {
      Skip(at_ + tag.length, false);
      return true;
    }
    if (!tag.closes && (IsDeletion(tag.element) || IsAnswerElement(tag.element))) {
      const absl::string_view content = rest.substr(tag.length, kMostTagBytes);
      const size_t length = std::min(content.find("</"), content.size());
      if (absl::StartsWithIgnoreCase(content.substr(length), absl::StrCat("</", tag.element, ">"))) {
        const size_t from = at_ + tag.length, after = from + length + tag.element.size() + 3;
        if (IsDeletion(tag.element)) Skip(after, true);
        if (IsAnswerElement(tag.element) && boxes_) Box(from, from + length, after);
        if (at_ == after) return true;
      }
    }
    if (!IsBlock(tag.element) && !IsAnswerElement(tag.element)) return false;
    Add(Term::kLine, "\n", at_ + tag.length);
    return true;
  }

  // What is neither ASCII nor a word.
  void Other(char32_t c) {
    const Term term = SymbolTerm(c);
    const bool picture = (c >= 0x2600 && c <= 0x27BF) || (c >= 0x1F000 && c <= 0x1FAFF);
    if (term == Term::kMark && picture) return Skip(end_, true);
    Add(term, text_.substr(at_, end_ - at_), end_);
  }

  const absl::string_view text_;
  const bool boxes_;
  const std::unordered_set<size_t> money_;
  const std::unordered_map<size_t, size_t> closing_;
  Marks marks_;
  std::unordered_set<size_t> left_out_;  // braces that close a formatting command's argument
  size_t at_ = 0, end_ = 0;
  bool spaced_ = false;
  ChoiceText read_;
};

}  // namespace

ChoiceText ReadChoiceText(absl::string_view plain, bool boxes) { return Reader(plain, boxes).Read(); }

}  // namespace lvrpo
