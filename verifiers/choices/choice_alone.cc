#include "verifiers/choices/choice_alone.h"

#include "verifiers/choices/choice_predicate.h"

namespace lvrpo {
namespace {

class AloneReader : private ChoiceReader {
 public:
  AloneReader(const ChoiceReader& reader, const Sentence& sentence)
      : ChoiceReader(reader), sentence_(sentence) {}

  bool IsAnswer(size_t target) const {
    const std::optional<Target> here = At(target);
    if (!here || here->small || here->pronoun) return false;
    if (term(here->end) == Term::kComma && term(here->end + 1) == Term::kNot && NamesNext(here->end + 2))
      return true;
    if (IsFirstOfLine() && (GivesReason(here->end) || IsPreferred(here->end))) return true;
    if (!EndsSentence(here->end) || sentence_.first == 0) return false;
    return term(sentence_.first - 1) == Term::kQuestion ||
           (term(sentence_.first - 1) == Term::kStop && sentence_.after_denial);
  }

  bool IsUnderHeading(size_t target) const {
    size_t at = sentence_.first;
    if (at == 0 || term(at - 1) != Term::kLine) return false;
    const std::optional<Target> here = At(target);
    size_t end = here ? here->end : target;
    while (term(end) == Term::kStop) ++end;
    if (term(end) != Term::kLine) return false;
    while (at > 0 && term(at - 1) == Term::kLine) --at;
    while (at > 0 && Is(at - 1, {Term::kColon, Term::kLink, Term::kClose, Term::kQuote, Term::kDash})) --at;
    if (at == 0 || !Is(at - 1, {Term::kAnswer, Term::kOption, Term::kThus, Term::kRight})) return false;
    while (at > 0 && Is(at - 1, {Term::kAnswer, Term::kOption, Term::kThus, Term::kRight, Term::kFinal,
                                 Term::kFiller, Term::kOpen, Term::kQuote}))
      --at;
    return at == 0 || EndsSentence(at - 1);
  }

  bool IsCorrection(size_t target) const {
    bool said = false;
    size_t at = target;
    while (at > sentence_.denied_end && at > sentence_.first &&
           Is(at - 1, {Term::kComma, Term::kBut, Term::kIt, Term::kLink, Term::kFiller, Term::kNotBut,
                       Term::kThus, Term::kOption, Term::kOpen, Term::kQuote, Term::kAnswer})) {
      --at;
      said = said || Is(at, {Term::kBut, Term::kIt, Term::kLink, Term::kNotBut});
    }
    return sentence_.denied_end > sentence_.first && at == sentence_.denied_end &&
           (said || term(at - 1) == Term::kNotBut);
  }

 private:
  // "B rather than A".
  bool IsPreferred(size_t at) const {
    return term(at) == Term::kBecause && (piece(at) == "rather" || piece(at) == "instead") &&
           NamesNext(at + 1);
  }

  bool IsFirstOfLine() const { return sentence_.first == 0 || term(sentence_.first - 1) == Term::kLine; }

  // "B, since A is wrong", "B because of the tower", "B. A is wrong.": what follows a letter that begins a
  // line.
  bool GivesReason(size_t at) const {
    if (Is(at, {Term::kStop, Term::kDash})) return IsAboutOthers(at + 1);
    while (Is(at, {Term::kComma, Term::kOpen})) ++at;
    const bool as = term(at) == Term::kBecause && piece(at) == "as" && IsCapital(at + 1);
    if (!as && !IsCause(at)) return false;
    if (IsCapital(at + 1)) return true;
    for (size_t i = at + 1; i < at + kFarthest && !EndsSentence(i); ++i) {
      if (term(i) == Term::kOther) return true;
      if (Is(i, {Term::kNot, Term::kWrong})) return false;
      if (term(i) == Term::kComma && Is(i + 1, {Term::kLink, Term::kHolds}))
        return false;  // "A, since x, is"
    }
    return true;
  }

  bool IsCapital(size_t at) const {
    const std::optional<Target> target = At(at);
    return target && !target->small && !target->text;
  }

  // "A is wrong", "the others are wrong".
  bool IsAboutOthers(size_t at) const {
    while (Is(at, {Term::kFiller, Term::kAlso})) ++at;
    size_t end = at + 1;
    if (term(at) != Term::kOther) {
      if (!IsCapital(at)) return false;
      end = Joined(*At(at), false).end;
    }
    Predicate said;
    ReadPredicate(*this, end, &said);
    return said.judgement == Predicate::kWrong || said.judgement == Predicate::kNot ||
           (said.judgement != Predicate::kNone && said.denied);
  }

  // because, since: among the words of kBecause those that give a reason.
  bool IsCause(size_t at) const {
    if (term(at) != Term::kBecause) return false;
    for (const char* cause : {"because",
                              "since",
                              "weil",
                              "denn",
                              "car",
                              "parce",
                              "puisque",
                              "puisqu'",
                              "porque",
                              "ya",
                              "pues",
                              "puesto",
                              "perch\u00E9",
                              "poich\u00E9",
                              "siccome",
                              "pois",
                              "j\u00E1",
                              "\u043F\u043E\u0442\u043E\u043C\u0443",
                              "\u043F\u043E\u0441\u043A\u043E\u043B\u044C\u043A\u0443",
                              "\u0442\u0430\u043A",
                              "\u56E0\u4E3A",
                              "\u56E0\u70BA",
                              "\u7531\u4E8E",
                              "\u7531\u65BC",
                              "\u306A\u305C\u306A\u3089",
                              "\uC65C\uB0D0\uD558\uBA74"}) {
      if (piece(at) == cause) return true;
    }
    return false;
  }

  const Sentence& sentence_;
};

}  // namespace

bool IsUnderHeading(const ChoiceReader& reader, const Sentence& sentence, size_t target) {
  return AloneReader(reader, sentence).IsUnderHeading(target);
}

bool AnswersAlone(const ChoiceReader& reader, const Sentence& sentence, size_t target) {
  return AloneReader(reader, sentence).IsAnswer(target);
}

bool IsCorrection(const ChoiceReader& reader, const Sentence& sentence, size_t target) {
  return AloneReader(reader, sentence).IsCorrection(target);
}

}  // namespace lvrpo
