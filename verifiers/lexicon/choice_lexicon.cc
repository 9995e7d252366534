#include "verifiers/lexicon/choice_lexicon.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "data/unicode/unicode.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {

bool IsEastAsian(char32_t c) {
  return (c >= 0x1100 && c <= 0x11FF) || c == 0x3005 || (c >= 0x3041 && c <= 0x30FA) || c == 0x30FC ||
         (c >= 0x3131 && c <= 0x318E) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

bool IsWordPart(char32_t c) { return c != '_' && unicode::IsWordCharacter(c) && !IsEastAsian(c); }

char32_t CodePointAt(absl::string_view text, size_t at) {
  return at < text.size() ? unicode::NextCodePoint(text, &at) : 0;
}

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
    const char32_t after = CodePointAt(text, next);
    if (!IsWordPart(after)) break;
    if (c == '\'') {
      const std::string elided = absl::AsciiStrToLower(text.substr(begin, next - begin));
      if (std::find(std::begin(kElided), std::end(kElided), elided) != std::end(kElided)) return next;
    }
    const bool digits = unicode::IsNumber(last) && unicode::IsNumber(after);
    const bool initial = c == '.' && after < 0x80 &&
                         absl::ascii_isalpha(static_cast<unsigned char>(text[at - 1])) &&
                         (at - begin == 1 || text[at - 2] == '.') && !IsWordPart(CodePointAt(text, next + 1));
    if (!(c == '\'' || c == '-' || c == '_' || initial || (digits && (c == '.' || c == ',' || c == ':'))))
      break;
    at = next;
  }
  return at;
}

bool IsAbbreviation(absl::string_view folded) {
  return folded == "ans" || folded == "resp" || folded == "r\u00E9p" || folded == "\u043E\u0442\u0432";
}

bool IsYesOrNo(absl::string_view folded) {
  static constexpr absl::string_view kWords[] = {"yes",
                                                 "no",
                                                 "ja",
                                                 "nein",
                                                 "oui",
                                                 "non",
                                                 "s\u00ED",
                                                 "si",
                                                 "s\u00EC",
                                                 "sim",
                                                 "n\u00E3o",
                                                 "\u0434\u0430",
                                                 "\u043D\u0435\u0442",
                                                 "\u662F",
                                                 "\u662F\u7684",
                                                 "\u4E0D",
                                                 "\u4E0D\u662F",
                                                 "\u5426",
                                                 "\u5BF9",
                                                 "\u306F\u3044",
                                                 "\u3044\u3044\u3048",
                                                 "\uB124",
                                                 "\uC608",
                                                 "\uC544\uB2C8\uC694",
                                                 "\uC544\uB2C8\uC624"};
  return std::find(std::begin(kWords), std::end(kWords), folded) != std::end(kWords);
}

const Lexicon& Lexicon::Get() {
  static const Lexicon* const lexicon = new Lexicon();
  return *lexicon;
}

const Term* Lexicon::Find(const std::string& phrase) const {
  const auto found = terms_.find(phrase);
  return found == terms_.end() ? nullptr : &found->second;
}

size_t Lexicon::EastAsianEnd(absl::string_view text, size_t at, Term* term) const {
  std::vector<size_t> ends;
  for (size_t end = at; end < text.size() && ends.size() < most_east_asian_;) {
    unicode::NextCodePoint(text, &end);
    ends.push_back(end);
  }
  for (size_t length = ends.size(); length > 0; --length) {
    const Term* const found = Find(std::string(text.substr(at, ends[length - 1] - at)));
    if (found == nullptr) continue;
    *term = *found;
    return ends[length - 1];
  }
  *term = Term::kWord;
  return ends[0];
}

Lexicon::Lexicon() {
  for (const std::span<const TermWords> language : ChoiceWords()) {
    for (const TermWords& entry : language) {
      for (const absl::string_view words : absl::StrSplit(entry.words, '|')) Add(entry.term, words);
    }
  }
}

void Lexicon::Add(Term term, absl::string_view words) {
  const std::string folded = Folded(words, Spaces::kSingle);
  if (IsEastAsian(CodePointAt(folded, 0))) {
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

}  // namespace lvrpo
