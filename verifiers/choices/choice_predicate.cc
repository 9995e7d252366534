#include "verifiers/choices/choice_predicate.h"

namespace lvrpo {
namespace {

class PredicateReader : private ChoiceReader {
 public:
  explicit PredicateReader(const ChoiceReader& reader) : ChoiceReader(reader) {}

  // What is said about the choice that ends at `at`.
  void Read(size_t at, Predicate* said) const {
    const size_t begin = at;
    bool link = false;
    for (at = BehindAside(at); Is(at, {Term::kOption, Term::kFiller, Term::kAlso, Term::kMaybe, Term::kNot,
                                       Term::kThus, Term::kLink, Term::kWould, Term::kNotBut, Term::kDash});
         ++at) {
      const Term here = term(at);
      said->end = at + 1;
      if (here == Term::kNotBut) {
        said->judgement = Predicate::kNot;
        return;
      }
      if (here == Term::kDash && !Is(at + 1, {Term::kRight, Term::kAnswer, Term::kWrong})) return;
      link = link || here == Term::kLink || here == Term::kWould || here == Term::kDash;
      said->denied = said->denied || here == Term::kNot;
      said->guessed = said->guessed || here == Term::kMaybe;
      said->would = said->would || here == Term::kWould;
      said->also = said->also || here == Term::kAlso;
    }
    said->end = at;
    if (at > begin && term(at - 1) == Term::kNot && IsEastAsian(at - 1) && !link) {
      said->judgement = Predicate::kNot;
    } else if (term(at) == Term::kEnd && at == begin) {
      while (term(at) == Term::kEnd) ++at;
      said->end = at;
      if (EndsSentence(at) || Is(at, {Term::kComma, Term::kBecause})) said->judgement = Predicate::kRight;
    } else if (term(at) == Term::kWrong && (link || said->denied || NeedsNoVerb(at))) {
      said->end = at + 1;
      said->judgement = Predicate::kWrong;
    } else {
      ReadPraise(at, link, said);
    }
  }

 private:
  // "right", "the right answer", "fits".
  void ReadPraise(size_t at, bool link, Predicate* said) const {
    Predicate::Judgement judgement = Predicate::kAnswer;
    size_t last = at;  // "dass B die richtige Antwort ist"
    while (Is(last, {Term::kRight, Term::kAnswer, Term::kOption, Term::kFiller})) ++last;
    const bool verb_last = term(last) == Term::kLink && EndsSentence(last + 1);
    if (Is(at, {Term::kRight, Term::kHolds})) {
      if (!link && !said->denied && term(at) == Term::kRight && !NeedsNoVerb(at) && !verb_last) return;
      const bool spatial = piece(at) == "right";
      while (Is(at, {Term::kRight, Term::kHolds, Term::kFinal, Term::kFiller, Term::kLink})) ++at;
      if (spatial && term(at) == Term::kOf) return;
      if (!Is(at, {Term::kAnswer, Term::kOption})) judgement = Predicate::kRight;
    } else if (term(at) != Term::kAnswer || !(link || verb_last)) {
      return;
    }
    while (Is(at, {Term::kAnswer, Term::kOption, Term::kRight, Term::kEnd, Term::kClose, Term::kQuote,
                   Term::kFiller}))
      ++at;
    said->end = at;
    if (term(at) == Term::kNot && !NamesNext(at + 1)) said->denied = true;
    if (term(at) == Term::kAlso) said->also = true;
    const bool goes_on =
        Is(at, {Term::kComma, Term::kBecause, Term::kBut, Term::kThus, Term::kAnd, Term::kAlso, Term::kOf,
                Term::kView, Term::kNot, Term::kColon, Term::kDash, Term::kOpen, Term::kThat, Term::kLink});
    const bool condition = term(at) == Term::kComma && term(at + 1) == Term::kIf;
    if ((EndsSentence(at) || goes_on) && !condition) said->judgement = judgement;
  }
};

}  // namespace

void ReadPredicate(const ChoiceReader& reader, size_t at, Predicate* said) {
  PredicateReader(reader).Read(at, said);
}

}  // namespace lvrpo
