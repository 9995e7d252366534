#include "verifiers/choices/choice_target.h"

#include <algorithm>

#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

constexpr int kMostJoined = 26;

Letters Bit(char letter) { return Letters{1} << (letter - 'A'); }

}  // namespace

bool ChoiceReader::Is(size_t at, std::initializer_list<Term> terms) const {
  return std::find(terms.begin(), terms.end(), term(at)) != terms.end();
}

bool ChoiceReader::IsEastAsian(size_t at) const {
  return at < size() && static_cast<unsigned char>(piece(at)[0]) >= 0xE3;  // from U+3000 on
}

bool ChoiceReader::NeedsNoVerb(size_t at) const {
  return at < size() && static_cast<unsigned char>(piece(at)[0]) >= 0xD0;  // from U+0400 on
}

// The letters of the longest choice's text that stands here, and the token after it; 0: none does.
Letters ChoiceReader::ChoiceAt(size_t at, size_t* end) const {
  const std::vector<std::string>& pieces = text_.pieces;
  const size_t first = token(at).first;
  size_t longest = 0;
  Letters letters = 0;
  for (size_t i = 0; i < choices_.size(); ++i) {
    const std::vector<std::string>& choice = choices_[i];
    if (choice.empty() || choice.size() < longest || choice.size() > pieces.size() - first ||
        !std::equal(choice.begin(), choice.end(), pieces.begin() + static_cast<ptrdiff_t>(first))) {
      continue;
    }
    if (choice.size() > longest) letters = 0;
    longest = choice.size();
    letters |= Letters{1} << i;
  }
  if (letters == 0) return 0;
  *end = TokenAt(at, first + longest);
  return *end == 0 || EndsInside(*end) ? 0 : letters;
}

bool ChoiceReader::IsNumeral(size_t at) const {
  size_t first = 0;
  return at < size() && !piece(at).empty() && unicode::IsNumber(unicode::NextCodePoint(piece(at), &first));
}

// Whether a sign, or a number with a sign between, is joined to what begins at `at`: "-2", "$5", "1/2".
bool ChoiceReader::BeginsInside(size_t at) const {
  if (at == 0 || at >= size()) return false;
  if (term(at - 1) == Term::kMark) return !token(at).spaced;
  if (term(at - 1) == Term::kDash && at > 1)  // "is - 2"
    return IsNumeral(at) && Is(at - 2, {Term::kLink, Term::kColon, Term::kEqual, Term::kWould, Term::kIt});
  return at > 1 && IsNumeral(at) && IsNumeral(at - 2) && !token(at - 1).spaced &&
         Is(at - 1, {Term::kAnd, Term::kEqual});
}

// Whether what ends before `end` is the beginning of something longer: "2x", "5%", "3!", "2 - 1".
bool ChoiceReader::EndsInside(size_t end) const {
  if (Is(end, {Term::kWord, Term::kMark, Term::kEqual, Term::kLetter})) return true;
  if (end == 0 || !IsNumeral(end - 1) || end >= size()) return false;
  if (term(end) == Term::kStop) return piece(end) == "!" && !token(end).spaced;
  return IsNumeral(end + 1) && (term(end) == Term::kDash || term(end) == Term::kColon ||
                                (term(end) == Term::kAnd && piece(end) == "/"));
}

bool ChoiceReader::IsRelation(size_t at) const {
  if (term(at) == Term::kEqual) return true;
  if (term(at) != Term::kMark) return false;
  for (const char* mark :
       {"<", ">", "\u2264", "\u2265", "\u2260", "\u2208", "\\le", "\\ge", "\\leq", "\\geq", "\\neq"}) {
    if (piece(at) == mark) return true;
  }
  return false;
}

bool ChoiceReader::IsParticle(size_t at) const {
  if (term(at) != Term::kLetter) return false;
  const char letter = token(at).letter;
  if (letter == 'I') return true;
  return token(at).small &&
         (letter == 'A' || letter == 'E' || letter == 'O' || letter == 'U' || letter == 'Y');
}

// The token after `at` that begins with this piece; 0: it is within one.
size_t ChoiceReader::TokenAt(size_t at, size_t piece) const {
  while (at < size() && token(at).first < piece) ++at;
  return at < size() && token(at).first == piece ? at : 0;
}

std::optional<Target> ChoiceReader::At(size_t at) const {
  if (at >= size() || BeginsInside(at)) return std::nullopt;
  const Token& here = token(at);
  const bool letter = here.term == Term::kLetter;
  Target target;
  target.begin = at;
  size_t end = 0;
  if (const Letters named = ChoiceAt(at, &end);
      named != 0 && !(letter && end == at + 1 && IsChoice(here.letter))) {
    target.letters = named;
    target.end = end;
    target.text = true;
  } else if (letter) {
    target.letters = Bit(here.letter);
    const bool bracketed = term(at + 1) == Term::kClose;
    target.small = here.small && !bracketed;
    target.pronoun = here.letter == 'I' && !bracketed;
    target.end = at + 1;
  } else if (here.term == Term::kBox) {
    target.letters = here.box;
    target.boxed = true;
    target.end = at + 1;
  }
  if (target.letters == 0) return std::nullopt;
  while (Is(target.end, {Term::kClose, Term::kQuote})) ++target.end;
  if (letter && !target.text) {
    while (!target.small && term(target.end) == Term::kOption) ++target.end;
    AddOwnText(&target);
  }
  return target;
}

// ". Paris" or "(Paris)" after a letter, when the sentence ends or goes on with a reason after it.
void ChoiceReader::AddOwnText(Target* target) const {
  size_t at = target->end;
  if (Is(at, {Term::kColon, Term::kDash, Term::kComma, Term::kStop, Term::kOpen, Term::kEqual})) ++at;
  while (Is(at, {Term::kOpen, Term::kQuote})) ++at;
  if (at >= size() || term(at) == Term::kLine) return;
  size_t end = 0;
  const Letters named = ChoiceAt(at, &end);
  if (named == 0 || (term(at) == Term::kLetter && end == at + 1)) return;
  while (Is(end, {Term::kClose, Term::kQuote})) ++end;
  if (!EndsSentence(end) && !Is(end, {Term::kComma, Term::kAnd, Term::kOr, Term::kBecause, Term::kEnd}))
    return;
  target->letters |= named;
  target->end = end;
  target->with_text = true;
  target->small = target->pronoun = false;
}

// "e", "o", "y", "u" between choices: and, or.
bool ChoiceReader::IsJoiningLetter(size_t at) const {
  if (term(at) != Term::kLetter || !token(at).small || !token(at).spaced) return false;
  const char letter = token(at).letter;
  return (letter == 'E' || letter == 'O' || letter == 'Y' || letter == 'U') && At(at + 1).has_value();
}

Target ChoiceReader::Joined(Target target, bool clauses) const {
  for (int i = 0; i < kMostJoined; ++i) {
    size_t at = target.end;
    bool joined = term(at) == Term::kLetter && !token(at).small && term(at - 1) == Term::kLetter;  // "A B"
    const bool aside = term(at) == Term::kOpen;  // "(A) (B)", "Paris (B)"
    if (aside) joined = true;
    const bool comma = term(at) == Term::kComma;
    if (comma) joined = ++at;
    const bool plus = term(at) == Term::kMark && piece(at) == "+";
    if (Is(at, {Term::kAnd, Term::kOr}) || plus || IsJoiningLetter(at)) joined = ++at;
    if (!joined) break;
    while (Is(at, {Term::kOpen, Term::kQuote, Term::kOption, Term::kFiller, Term::kAlso})) ++at;
    const std::optional<Target> next = At(at);
    if (!next || (next->small && !target.small) || next->pronoun) break;
    if (aside && term(next->end - 1) != Term::kClose) break;
    const bool verb = Is(next->end, {Term::kLink, Term::kWould, Term::kHolds, Term::kWrong, Term::kWord});
    const bool judged = comma && Is(next->end, {Term::kWrong, Term::kNot});
    if (clauses && (judged || (verb && !IsEastAsian(next->end)))) break;
    target.letters |= next->letters;
    target.end = next->end;
    target.with_text = target.with_text && next->with_text;
    target.text = target.text && next->text;
  }
  return target;
}

std::string ChoiceReader::Text(const Target& target) const {
  std::string text;
  for (size_t i = token(target.begin).first; i < token(target.end - 1).last; ++i) text += text_.pieces[i];
  return text;
}

bool ChoiceReader::IsAsked(size_t at) const {
  for (size_t i = 0; i < kFarthest; ++i, ++at) {
    if (EndsSentence(at)) return term(at) == Term::kQuestion;
  }
  return false;
}

bool ChoiceReader::GoesOnWithCondition(size_t at) const {
  for (size_t i = 0; i < kFarthest && !EndsSentence(at); ++i, ++at) {
    if (Is(at, {Term::kIf, Term::kBut})) return true;
    if (term(at) == Term::kBecause) return false;
  }
  return false;
}

bool ChoiceReader::GoesOnWithWould(size_t at) const {
  for (size_t i = 0; i < kFarthest && !EndsSentence(at); ++i, ++at) {
    if (term(at) == Term::kWould) return true;
  }
  return false;
}

bool ChoiceReader::NamesNext(size_t at) const {
  while (Is(at, {Term::kFiller, Term::kOption, Term::kOpen, Term::kQuote, Term::kAnswer})) ++at;
  return At(at).has_value();
}

size_t ChoiceReader::BehindAside(size_t at) const {
  if (term(at) != Term::kOpen) return at;
  for (size_t end = at; end < at + kFarthest && term(end) != Term::kLine; ++end) {
    if (term(end) == Term::kClose) return end + 1;
  }
  return at;
}

}  // namespace lvrpo
