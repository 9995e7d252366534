#pragma once

#include <cstddef>

#include "verifiers/choices/choice_target.h"

namespace lvrpo {

// What a sentence says about the choice that is its subject: "B is right", "A and C are wrong", "B desu".
struct Predicate {
  enum Judgement { kNone, kRight, kAnswer, kWrong, kNot } judgement = kNone;
  size_t end = 0;  // the token after it
  bool denied = false, guessed = false, would = false, also = false;
};

// Adds what is said about the choice that ends at `at`. Pure; reads a bounded number of tokens.
void ReadPredicate(const ChoiceReader& reader, size_t at, Predicate* said);

}  // namespace lvrpo
