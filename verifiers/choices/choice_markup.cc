#include "verifiers/choices/choice_markup.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "data/unicode/unicode.h"
#include "verifiers/lexicon/choice_lexicon.h"

namespace lvrpo {
namespace {

constexpr size_t kMostTagBytes = 80;
constexpr size_t kMostQuoteBytes = 80;

bool IsDigitAt(absl::string_view text, size_t at) {
  return at < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[at]));
}

bool IsAmountAt(absl::string_view text, size_t at) {
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  if (at < text.size() && text[at] == '.') ++at;
  return IsDigitAt(text, at);
}

// The character before text[end]; 0 at the beginning.
char32_t Before(absl::string_view text, size_t end) {
  return end == 0 ? 0 : unicode::LastCodePoint(text, end);
}

bool Contains(absl::string_view marks, char32_t c) {
  return c != 0 && c < 0x80 && marks.find(static_cast<char>(c)) != absl::string_view::npos;
}

}  // namespace

bool IsFormatting(absl::string_view command) {
  static constexpr absl::string_view kFormatting[] = {
      "text",       "textbf", "textit",    "textrm",       "textsf", "texttt",  "textnormal", "mathbf",
      "mathrm",     "mathit", "mathsf",    "mathtt",       "mbox",   "hbox",    "bf",         "rm",
      "it",         "bm",     "bold",      "emph",         "left",   "right",   "boldsymbol", "large",
      "Large",      "big",    "Big",       "quad",         "qquad",  "space",   "underline",  "displaystyle",
      "boxed",      "fbox",   "framebox",  "operatorname", "LARGE",  "huge",    "Huge",       "small",
      "normalsize", "textup", "textstyle", "mathcal",      "mathbb", "mathscr", "mathfrak"};
  return std::find(std::begin(kFormatting), std::end(kFormatting), command) != std::end(kFormatting);
}

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

bool IsCrossingOut(absl::string_view command) {
  return command == "sout" || command == "st" || command == "cancel" || command == "bcancel" ||
         command == "xcancel";
}

bool IsColoring(absl::string_view command) {
  return command == "color" || command == "textcolor" || command == "colorbox";
}

bool IsArrow(absl::string_view command) {
  return command == "to" || command == "implies" || absl::EndsWith(command, "rightarrow") ||
         absl::EndsWith(command, "Rightarrow");
}

std::unordered_map<size_t, size_t> ClosingBraces(absl::string_view text) {
  std::unordered_map<size_t, size_t> closing;
  std::vector<size_t> open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') open.push_back(i);
    if (text[i] != '}' || open.empty()) continue;
    closing.emplace(open.back(), i);
    open.pop_back();
  }
  return closing;
}

bool IsDeletion(absl::string_view element) {
  return element == "s" || element == "del" || element == "strike";
}

bool IsAnswerElement(absl::string_view element) {
  for (const absl::string_view word : absl::StrSplit(element, '_')) {
    const Term* term = Lexicon::Get().Find(std::string(word));
    if (term == nullptr || !(*term == Term::kAnswer || *term == Term::kOption || *term == Term::kFinal))
      return false;
  }
  return true;
}

ElementTag ElementTagAt(absl::string_view text) {
  const size_t close = text.substr(0, kMostTagBytes).find('>');
  if (close == absl::string_view::npos) return {};
  const bool closes = text[1] == '/';
  const size_t begin = closes ? 2 : 1;
  size_t end = begin;
  while (end < close && (absl::ascii_isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
    ++end;
  if (end < close && text[end] != ' ' && text[end] != '/') return {};
  return {absl::AsciiStrToLower(text.substr(begin, end - begin)), close + 1, closes};
}

bool Compares(absl::string_view text, size_t at) {
  const size_t next = text.find_first_not_of(' ', at + 1);
  return text[at] == '>' && next != absl::string_view::npos && (IsDigitAt(text, next) || text[next] == '=');
}

std::unordered_set<size_t> MoneySigns(absl::string_view text) {
  std::unordered_set<size_t> money;
  bool formula = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$') continue;
    if (at + 1 < text.size() && text[at + 1] == '$') {
      ++at;
    } else if (formula) {
      formula = false;
    } else {
      const size_t next = text.find_first_of("$\n", at + 1);
      const bool paired = next != absl::string_view::npos && text[next] == '$';
      const bool closed = paired && !Contains(" (", Before(text, next)) && !IsDigitAt(text, next + 1);
      const bool amount = IsAmountAt(text, at + 1) ? !closed : at > 0 && IsDigitAt(text, at - 1) && !paired;
      if (amount) money.insert(at);
      formula = !amount;
    }
  }
  return money;
}

bool IsSign(absl::string_view text, size_t at) {
  size_t begin = at;
  while (begin > 0 && Contains("*_`$", Before(text, begin))) --begin;
  const char32_t before = Before(text, begin);
  if (IsWordPart(before) || Contains(")]}-~", before)) return false;
  size_t next = at + 1;
  while (next < text.size() && Contains("*_`$", text[next])) ++next;
  if (IsAmountAt(text, next) || (next < text.size() && text[next] == '\\')) return true;
  const char32_t letter = CodePointAt(text, next);
  if (letter >= 0x80 || !absl::ascii_isalpha(static_cast<unsigned char>(letter))) return false;
  return before != ':' && WordEnd(text, next) == next + 1;
}

size_t AfterStruck(absl::string_view text, size_t at) {
  if (text.substr(at, 2) != "~~") return at;
  const size_t end = text.find_first_of("~\n", at + 2);
  return text.substr(std::min(end, text.size()), 2) == "~~" ? end + 2 : at;
}

bool Marks::IsFootnote(size_t at, size_t end) {
  const char32_t before = Before(text_, at), after = CodePointAt(text_, end);
  const bool apart = before == 0 || unicode::IsSpace(before);
  if (emphasis_ && !apart) {
    emphasis_ = false;
    return false;
  }
  if (!IsWordPart(before) && after != 0 && !unicode::IsSpace(after)) {
    emphasis_ = true;
    return false;
  }
  return end == at + 1 && IsWordPart(before) && !IsWordPart(after);
}

bool Marks::IsHighlight(size_t at) {
  if (text_.substr(at, 2) != "==") return false;
  if (at == highlight_end_) return true;
  const size_t begin = at + 2, end = text_.find("==", begin);
  if (end == absl::string_view::npos || end == begin) return false;
  const bool opens = !IsWordPart(Before(text_, at)) && !unicode::IsSpace(CodePointAt(text_, begin));
  const bool closes = !unicode::IsSpace(Before(text_, end)) && !IsWordPart(CodePointAt(text_, end + 2));
  if (!opens || !closes || absl::StrContains(text_.substr(begin, end - begin), '\n')) return false;
  highlight_end_ = end;
  return true;
}

bool Marks::ClosesBackticks(size_t at) const {
  const size_t from = at - std::min(at, kMostQuoteBytes);
  const absl::string_view before = text_.substr(from, at - from);
  const size_t last = before.rfind('`');
  if (last == absl::string_view::npos || absl::StrContains(before.substr(last), '\n')) return false;
  if (const size_t quote = before.find('\'', last);
      quote != absl::string_view::npos && quote + 1 < before.size())
    return false;  // closed already
  size_t first = from + last;
  while (first > 0 && text_[first - 1] == '`') --first;
  return !IsWordPart(Before(text_, first));
}

bool Marks::IsPrime(size_t at) {
  if (text_[at] == '\'' && ClosesBackticks(at)) return false;
  bool& open = text_[at] == '"' ? double_ : single_;
  if (open) {
    open = false;
    return false;
  }
  const char32_t before = Before(text_, at);
  const bool prime = text_[at] == '"' ? unicode::IsNumber(before) : IsWordPart(before);
  open = !prime;
  return prime;
}

}  // namespace lvrpo
