#pragma once

#include <cstddef>

#include "verifiers/choices/choice_target.h"

// The words after a choice in its sentence. Pure functions that read a bounded number of tokens.
namespace lvrpo {

struct Tail {
  enum Verdict {
    kFine,
    kDenied,   // "A (wrong)", "A, which is false"
    kNoClaim,  // under a condition, a guess, or the text of something else: "A when x > 0", "A, perhaps"
  } verdict = kFine;
  Letters others = 0;  // named with it: "A (or B)", "A to C", "A for one and C for the other"
};

// What follows a choice that its sentence claims, from the token `at` to the end of the sentence.
Tail ReadTail(const ChoiceReader& reader, const Target& target, size_t at);

// Whether a phrase begins at `at` that says of what came before it, and of nothing else, that it is wrong or
// doubtful: "no", "not really", "which is false", "maybe".
bool Denies(const ChoiceReader& reader, size_t at);

// Whether the sentence from `first` on says whose view the claim is that ends before `at` ("according to
// Bob", "Bob's answer"), and what follows, there or in the next sentence, says that they are wrong.
bool IsRefutedView(const ChoiceReader& reader, size_t first, size_t at);

}  // namespace lvrpo
