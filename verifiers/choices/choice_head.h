#pragma once

#include <cstddef>
#include <optional>

#include "verifiers/choices/choice_target.h"

// The words before a choice in its sentence.
namespace lvrpo {

// The current sentence, and the claims before it.
struct Sentence {
  size_t first = 0;  // its first token
  // After the choice that was denied last, and how strong a claim of what is named in its place is.
  size_t denied_end = 0;
  Strength denied_strength = Strength::kMentioned;
  bool after_denial = false;  // the last claim was a denial or a retraction
};

// How the words before a choice govern it.
struct Head {
  std::optional<Strength> strength;  // none: they do not
  size_t begin = 0;                  // the first token of them
  bool denied = false, guessed = false, would = false;
  bool replaces = false;  // Claim::replaces
  bool instead = false;   // replaces all earlier claims
  bool ignored = false;   // under a condition, or another person's opinion
  bool bare = false;      // "option B", "answer B": a claim only as a separate sentence
};

// "the answer is", "I choose", "so", ... before the token `target`.
Head HeadOf(const ChoiceReader& reader, const Sentence& sentence, size_t target);

// The first token before `at` in its sentence that is inspected.
size_t Earliest(const Sentence& sentence, size_t at);

// Applies the words before head->begin: negation and guesses in its clause, conditions and others' opinions
// in its sentence.
void ReadClause(const ChoiceReader& reader, const Sentence& sentence, Head* head);

// Whether a clause begins at `at`.
bool BeginsClause(const ChoiceReader& reader, const Sentence& sentence, size_t at);

}  // namespace lvrpo
