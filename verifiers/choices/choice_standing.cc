#include "verifiers/choices/choice_standing.h"

#include <algorithm>
#include <optional>

#include "verifiers/choices/choice_target.h"

namespace lvrpo {
namespace {

// Only closing marks from `at` on.
bool EndsAt(const ChoiceReader& reader, size_t at) {
  while (at < reader.size() && reader.Is(at, {Term::kClose, Term::kQuote, Term::kStop, Term::kColon,
                                              Term::kComma, Term::kLine, Term::kEnd})) {
    ++at;
  }
  return at == reader.size();
}

size_t WithoutOpening(const ChoiceReader& reader) {
  size_t at = 0;
  while (at < reader.size() &&
         reader.Is(at, {Term::kOpen, Term::kQuote, Term::kLine, Term::kDash, Term::kColon}))
    ++at;
  return at;
}

// After "option", "the letter".
size_t WithoutNoun(const ChoiceReader& reader, size_t at) {
  while (at < reader.size() &&
         reader.Is(at, {Term::kOption, Term::kAnswer, Term::kFiller, Term::kOpen, Term::kQuote})) {
    ++at;
  }
  return at;
}

// Whether a text says that there is no answer: "none", "?", nothing.
bool IsNone(const ChoiceText& content) {
  return content.tokens.size() == 1 ||
         std::any_of(content.tokens.begin(), content.tokens.end(), [](const Token& token) {
           return token.term == Term::kNot || token.term == Term::kWrong || token.term == Term::kMaybe ||
                  token.term == Term::kQuestion;
         });
}

}  // namespace

Letters Standing(const std::vector<Claim>& claims) {
  for (const Strength strength :
       {Strength::kBoxed, Strength::kAnswered, Strength::kAlone, Strength::kMentioned, Strength::kListed}) {
    Letters standing = 0, discussed = 0;
    for (const Claim& claim : claims) {
      switch (claim.kind) {
        case Claim::Kind::kAsserted:
          if (claim.strength != strength) break;
          standing = claim.replaces ? claim.letters : standing | claim.letters;
          break;
        case Claim::Kind::kDenied:
          if (claim.strength >= std::min(strength, Strength::kAnswered)) standing &= ~claim.letters;
          break;
        case Claim::Kind::kDiscussed:
          discussed |= claim.letters;
          break;
        case Claim::Kind::kRetracted:
          standing = 0;
          break;
      }
    }
    if (standing != 0) return strength == Strength::kListed ? standing | discussed : standing;
  }
  return 0;
}

Letters ReadWhole(const ChoiceText& text, const ChoicePieces& choices) {
  const ChoiceReader reader(text, choices);
  const size_t begin = WithoutOpening(reader);
  for (const size_t at : {begin, WithoutNoun(reader, begin)}) {
    const std::optional<Target> target = reader.At(at);
    if (!target) continue;
    const Target joined = reader.Joined(*target, false);
    if (EndsAt(reader, joined.end)) return joined.letters;
  }
  return 0;
}

Letters ReadContent(const ChoiceText& text, const ChoicePieces& choices) {
  if (const Letters whole = ReadWhole(text, choices); whole != 0) return whole;
  const ChoiceReader reader(text, choices);
  const size_t begin = WithoutNoun(reader, WithoutOpening(reader));
  const std::optional<Target> target = reader.At(begin);
  const bool delimited = target && reader.term(begin) == Term::kLetter &&
                         (reader.Is(target->end, {Term::kStop, Term::kColon, Term::kDash, Term::kOpen}) ||
                          (!target->small && reader.term(target->end) == Term::kComma) ||
                          reader.term(target->end - 1) == Term::kClose);
  bool judged = false;
  Letters letters = target ? target->letters : 0;
  for (size_t at = target ? target->end : 0; delimited && at < reader.size(); ++at) {
    judged = judged ||
             reader.Is(at, {Term::kNot, Term::kWrong, Term::kIf, Term::kMaybe, Term::kQuestion, Term::kOr});
    const bool alone = at == target->end + 1 && EndsAt(reader, at + 1);  // "B -> C"
    const bool lettered =
        reader.term(at) == Term::kLetter && !reader.token(at).small &&
        (alone || (reader.Is(at + 1, {Term::kStop, Term::kColon, Term::kClose}) && !EndsAt(reader, at + 1)));
    if (lettered) letters |= Letters{1} << (reader.token(at).letter - 'A');
  }
  if (delimited && !judged) return letters;
  return Standing(ReadClaims(text, choices));
}

void NameBoxes(const ChoicePieces& choices, ChoiceText* text) {
  for (Token& token : text->tokens) {
    if (token.term != Term::kBox) continue;
    const ChoiceText content = ReadChoiceText(text->pieces[token.first], /*boxes=*/false);
    token.box = ReadContent(content, choices);
    token.no_choice = token.box == 0 && (!choices.empty() || IsNone(content));
  }
}

}  // namespace lvrpo
