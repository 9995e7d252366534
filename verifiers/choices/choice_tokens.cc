#include "verifiers/choices/choice_tokens.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "data/unicode/unicode.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {
namespace {

constexpr size_t kMostBoxBytes = 4096;
constexpr size_t kMostTagBytes = 80;

// Chinese, Japanese and Korean, whose words are not separated by spaces.
bool IsEastAsian(char32_t c) {
  return (c >= 0x1100 && c <= 0x11FF) || c == 0x3005 || (c >= 0x3041 && c <= 0x30FA) || c == 0x30FC ||
         (c >= 0x3131 && c <= 0x318E) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

bool IsWordPart(char32_t c) { return c != '_' && unicode::IsWordCharacter(c) && !IsEastAsian(c); }

char32_t At(absl::string_view text, size_t at) {
  return at < text.size() ? unicode::NextCodePoint(text, &at) : 0;
}

// The end of the word, or number, at text[at]. Apostrophes, hyphens and underscores between letters belong to
// it, periods and commas between digits; "l'", "d'" and the like are separate words; "U.S." is one.
size_t WordEnd(absl::string_view text, size_t at) {
  static constexpr absl::string_view kElided[] = {"c'", "d'",  "j'",   "l'",    "m'",    "n'",     "s'",
                                                  "t'", "qu'", "all'", "dell'", "nell'", "quest'", "puisqu'"};
  const size_t begin = at;
  char32_t last = 0;
  while (at < text.size()) {
    size_t next = at;
    const char32_t c = unicode::NextCodePoint(text, &next);
    if (IsWordPart(c)) {
      last = c;
      at = next;
      continue;
    }
    const char32_t after = At(text, next);
    if (!IsWordPart(after)) break;
    if (c == '\'') {
      const std::string elided = absl::AsciiStrToLower(text.substr(begin, next - begin));
      if (std::find(std::begin(kElided), std::end(kElided), elided) != std::end(kElided)) return next;
    }
    const bool digits = unicode::IsNumber(last) && unicode::IsNumber(after);
    const bool initial = c == '.' && after < 0x80 &&
                         absl::ascii_isalpha(static_cast<unsigned char>(text[at - 1])) &&
                         (at - begin == 1 || text[at - 2] == '.') && !IsWordPart(At(text, next + 1));
    if (!(c == '\'' || c == '-' || c == '_' || initial || (digits && (c == '.' || c == ',')))) break;
    at = next;
  }
  return at;
}

class Lexicon {
 public:
  static const Lexicon& Get() {
    static const Lexicon* const lexicon = new Lexicon();
    return *lexicon;
  }

  // Words with a blank between them, or a phrase of Chinese, Japanese or Korean.
  const Term* Find(const std::string& phrase) const {
    const auto found = terms_.find(phrase);
    return found == terms_.end() ? nullptr : &found->second;
  }
  size_t most_words() const { return most_words_; }
  size_t most_east_asian() const { return most_east_asian_; }  // characters

 private:
  Lexicon() {
    for (const std::span<const TermWords> language : ChoiceWords()) {
      for (const TermWords& entry : language) {
        for (const absl::string_view words : absl::StrSplit(entry.words, '|')) Add(entry.term, words);
      }
    }
  }

  void Add(Term term, absl::string_view words) {
    const std::string folded = Folded(words, Spaces::kSingle);
    if (IsEastAsian(At(folded, 0))) {
      size_t length = 0;
      for (size_t at = 0; at < folded.size(); ++length) unicode::NextCodePoint(folded, &at);
      most_east_asian_ = std::max(most_east_asian_, length);
      terms_.emplace(folded, term);
      return;
    }
    std::vector<std::string> split;
    for (const absl::string_view part : absl::StrSplit(folded, ' ')) {
      for (size_t at = 0; at < part.size();) {
        const size_t end = part.back() == '\'' ? part.size() : std::max(WordEnd(part, at), at + 1);
        split.emplace_back(part.substr(at, end - at));
        at = end;
      }
    }
    most_words_ = std::max(most_words_, split.size());
    terms_.emplace(absl::StrJoin(split, " "), term);
  }

  std::unordered_map<std::string, Term> terms_;
  size_t most_words_ = 1, most_east_asian_ = 1;
};

// Commands that change how text looks and not what it says.
bool IsFormatting(absl::string_view command) {
  static constexpr absl::string_view kFormatting[] = {
      "text",   "textbf", "textit",   "textrm",      "textsf", "texttt", "textnormal", "mathbf",
      "mathrm", "mathit", "mathsf",   "mathtt",      "mbox",   "hbox",   "bf",         "rm",
      "it",     "bm",     "bold",     "emph",        "left",   "right",  "boldsymbol", "large",
      "Large",  "big",    "Big",      "quad",        "qquad",  "space",  "underline",  "displaystyle",
      "boxed",  "fbox",   "framebox", "operatorname"};
  return std::find(std::begin(kFormatting), std::end(kFormatting), command) != std::end(kFormatting);
}

// Elements that change how text looks; those that begin a line.
bool IsInline(absl::string_view element) {
  static constexpr absl::string_view kElements[] = {"b",   "i",   "u",    "em",   "strong", "span", "font",
                                                    "sub", "sup", "code", "mark", "center", "big"};
  return std::find(std::begin(kElements), std::end(kElements), element) != std::end(kElements);
}
bool IsBlock(absl::string_view element) {
  static constexpr absl::string_view kElements[] = {"br", "p",  "li",     "ul",          "ol", "div",
                                                    "tr", "td", "h1",     "h2",          "h3", "h4",
                                                    "h5", "h6", "answer", "final_answer"};
  return std::find(std::begin(kElements), std::end(kElements), element) != std::end(kElements);
}

// The delimiters of a box, except LaTeX's.
constexpr std::pair<absl::string_view, absl::string_view> kTagBoxes[] = {
    {"<answer>", "</answer>"},
    {"<final_answer>", "</final_answer>"},
    {"<|begin_of_box|>", "<|end_of_box|>"},
};
constexpr absl::string_view kBoxes[] = {"\\boxed{", "\\fbox{", "\\framebox{"};

class Reader {
 public:
  Reader(absl::string_view text, bool boxes) : text_(text), boxes_(boxes) {
    std::vector<size_t> open;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '{') open.push_back(i);
      if (text[i] != '}' || open.empty()) continue;
      closing_.emplace(open.back(), i);
      open.pop_back();
    }
  }

  ChoiceText Read() && {
    while (at_ < text_.size()) Step();
    Add(Term::kLine, "\n");
    JoinPhrases();
    return std::move(read_);
  }

 private:
  void Step() {
    const char32_t c = At(text_, at_);
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

  // The longest phrase that begins here; else one character.
  void EastAsian() {
    std::vector<size_t> ends;
    for (size_t at = at_; at < text_.size() && ends.size() < Lexicon::Get().most_east_asian();) {
      unicode::NextCodePoint(text_, &at);
      ends.push_back(at);
    }
    for (size_t length = ends.size(); length > 0; --length) {
      const std::string phrase(text_.substr(at_, ends[length - 1] - at_));
      if (const Term* term = Lexicon::Get().Find(phrase)) return Add(*term, phrase, ends[length - 1]);
    }
    Add(Term::kWord, text_.substr(at_, ends[0] - at_), ends[0]);
  }

  // "Ans. B".
  bool IsAbbreviated() const {
    static constexpr absl::string_view kAbbreviations[] = {"ans", "resp", "r\u00E9p", "\u043E\u0442\u0432"};
    return !read_.pieces.empty() && std::find(std::begin(kAbbreviations), std::end(kAbbreviations),
                                              read_.pieces.back()) != std::end(kAbbreviations);
  }
  bool AtLineStart() const { return read_.tokens.empty() || read_.tokens.back().term == Term::kLine; }

  void Mark(char c) {
    const absl::string_view piece = text_.substr(at_, 1);
    switch (c) {
      case '\n':
      case '\r':
        return Add(Term::kLine, "\n", at_ + 1);
      case ' ':
      case '\t':
      case '~':
        return Skip(at_ + 1, true);
      case '*':
      case '`':
      case '$':
      case '_':
      case '|':
        return Skip(at_ + 1, c == '|');
      case '#':
      case '>':
        return AtLineStart() ? Skip(at_ + 1, false) : Add(Term::kMark, piece, at_ + 1);
      case '(':
      case '[':
      case '{':
        return Add(Term::kOpen, "(", at_ + 1);
      case ')':
      case ']':
      case '}':
        return left_out_.count(at_) != 0 ? Skip(at_ + 1, true) : Add(Term::kClose, ")", at_ + 1);
      case '"':
      case '\'':
        return Add(Term::kQuote, piece, at_ + 1);
      case ':':
        return Add(Term::kColon, piece, at_ + 1);
      case ',':
        return Add(Term::kComma, piece, at_ + 1);
      case '.':
        if (IsAbbreviated()) return Skip(at_ + 1, true);
        return Add(Term::kStop, piece, at_ + 1);
      case '!':
      case ';':
        return Add(Term::kStop, piece, at_ + 1);
      case '?':
        return Add(Term::kQuestion, piece, at_ + 1);
      case '/':
        return Add(Term::kAnd, piece, at_ + 1);
      case '&':
        return Add(Term::kAnd, piece, at_ + 1);
      case '-':
      case '=':
        if (at_ + 1 < text_.size() && text_[at_ + 1] == '>') return Add(Term::kColon, ":", at_ + 2);
        return Add(c == '-' ? Term::kDash : Term::kEqual, piece, at_ + 1);
      case '\\':
        return Command();
      case '<':
        return Tag();
      default:
        return Add(Term::kMark, piece, at_ + 1);
    }
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
    size_t end = 1;
    while (end < rest.size() && absl::ascii_isalpha(static_cast<unsigned char>(rest[end]))) ++end;
    const absl::string_view command = rest.substr(1, end - 1);
    if (command.empty()) {
      const char c = rest.size() > 1 ? rest[1] : ' ';
      if (c == '\\') return Add(Term::kLine, "\n", at_ + 2);
      if (c == '{') return Add(Term::kOpen, "(", at_ + 2);
      if (c == '}') return Add(Term::kClose, ")", at_ + 2);
      return Skip(at_ + (static_cast<unsigned char>(c) < 0x80 ? std::min<size_t>(2, rest.size()) : 1), true);
    }
    if (IsFormatting(command)) {
      const auto argument = closing_.find(at_ + end);
      if (argument != closing_.end()) left_out_.insert(argument->second);
      return Skip(at_ + end + (argument == closing_.end() ? 0 : 1), true);
    }
    if (command == "to" || absl::EndsWith(command, "rightarrow") || absl::EndsWith(command, "Rightarrow") ||
        command == "implies") {
      return Add(Term::kColon, ":", at_ + end);
    }
    Add(Term::kWord, command == "therefore" ? "therefore" : absl::StrCat("\\", command), at_ + end);
  }

  void Tag() {
    const absl::string_view rest = text_.substr(at_, kMostBoxBytes);
    for (const auto& [opening, closing] : kTagBoxes) {
      if (!boxes_ || !absl::StartsWithIgnoreCase(rest, opening)) continue;
      const size_t end = rest.find(closing);
      if (end != absl::string_view::npos)
        return Box(at_ + opening.size(), at_ + end, at_ + end + closing.size());
    }
    const size_t close = rest.substr(0, kMostTagBytes).find('>');
    if (close != absl::string_view::npos) {
      size_t begin = rest[1] == '/' ? 2 : 1, end = begin;
      while (end < close && (absl::ascii_isalnum(static_cast<unsigned char>(rest[end])) || rest[end] == '_'))
        ++end;
      const std::string element = absl::AsciiStrToLower(rest.substr(begin, end - begin));
      const bool ends = end == close || rest[end] == ' ' || rest[end] == '/';
      if (ends && IsInline(element)) return Skip(at_ + close + 1, false);
      if (ends && IsBlock(element)) return Add(Term::kLine, "\n", at_ + close + 1);
    }
    Add(Term::kMark, "<", at_ + 1);
  }

  // What is neither ASCII nor a word.
  void Other(char32_t c) {
    static const auto* const terms = new std::unordered_map<char32_t, Term>{
        {U'\u3001', Term::kComma}, {U'\u3002', Term::kStop},    {U'\u2192', Term::kColon},
        {U'\u21D2', Term::kColon}, {U'\u27A1', Term::kColon},   {U'\u2236', Term::kColon},
        {U'\u2234', Term::kThus},  {U'\u2235', Term::kBecause}, {U'\u3010', Term::kOpen},
        {U'\u3011', Term::kClose}, {U'\u300C', Term::kOpen},    {U'\u300D', Term::kClose},
        {U'\u300E', Term::kOpen},  {U'\u300F', Term::kClose},   {U'\u3014', Term::kOpen},
        {U'\u3015', Term::kClose}, {U'\u3008', Term::kOpen},    {U'\u3009', Term::kClose},
        {U'\u300A', Term::kOpen},  {U'\u300B', Term::kClose},   {U'\u3016', Term::kOpen},
        {U'\u3017', Term::kClose}, {U'\u2022', Term::kDash},    {U'\u00BF', Term::kQuote},
        {U'\u00A1', Term::kQuote}, {U'\u2705', Term::kRight},   {U'\u2713', Term::kRight},
        {U'\u2714', Term::kRight}, {U'\u2611', Term::kRight},   {U'\u274C', Term::kWrong},
        {U'\u2717', Term::kWrong}, {U'\u2718', Term::kWrong},   {U'\u274E', Term::kWrong},
    };
    const auto found = terms->find(c);
    const bool picture = (c >= 0x2600 && c <= 0x27BF) || (c >= 0x1F000 && c <= 0x1FAFF);
    if (found == terms->end() && picture) return Skip(end_, true);
    Add(found == terms->end() ? Term::kMark : found->second, text_.substr(at_, end_ - at_), end_);
  }

  // "a" and "o" before a noun, as in Portuguese; "a" before a letter.
  static bool IsArticle(const std::vector<Token>& tokens, size_t at) {
    const Token &token = tokens[at], &next = tokens[at + 1];
    if (token.term != Term::kLetter || (token.letter != 'A' && token.letter != 'O') || !next.spaced)
      return false;
    if (next.term == Term::kLetter)
      return token.small && !next.small && (at == 0 || tokens[at - 1].term != Term::kLetter);
    return next.term == Term::kAnswer || next.term == Term::kOption || next.term == Term::kRight;
  }

  // Words become the longest phrases that the lexicon has.
  void JoinPhrases() {
    std::vector<Token> joined;
    std::vector<Token>& tokens = read_.tokens;
    for (size_t i = 0; i < tokens.size();) {
      const auto is_word = [&](size_t k) {
        return k < tokens.size() && (tokens[k].term == Term::kWord || tokens[k].term == Term::kLetter);
      };
      Token token = tokens[i];
      size_t words = 1;
      if (is_word(i)) {
        std::string phrase;
        for (size_t n = 1; n <= Lexicon::Get().most_words() && is_word(i + n - 1); ++n) {
          absl::StrAppend(&phrase, n == 1 ? "" : " ", read_.pieces[tokens[i + n - 1].first]);
          const Term* term = n == 1 && token.term == Term::kLetter ? nullptr : Lexicon::Get().Find(phrase);
          if (term == nullptr) continue;
          token.term = *term;
          words = n;
        }
        if (token.term == Term::kWord && absl::EndsWith(read_.pieces[token.first], "n't"))
          token.term = Term::kNot;
        token.last = tokens[i + words - 1].last;
      }
      joined.push_back(token);
      i += words;
    }
    for (size_t i = 0; i + 1 < joined.size(); ++i) {
      if (IsArticle(joined, i)) joined[i].term = Term::kFiller;
    }
    tokens = std::move(joined);
  }

  const absl::string_view text_;
  const bool boxes_;
  std::unordered_map<size_t, size_t> closing_;  // brace that opens -> the one that closes
  std::unordered_set<size_t> left_out_;         // braces that close a formatting command's argument
  size_t at_ = 0, end_ = 0;
  bool spaced_ = false;
  ChoiceText read_;
};

}  // namespace

ChoiceText ReadChoiceText(absl::string_view plain, bool boxes) { return Reader(plain, boxes).Read(); }

}  // namespace lvrpo
