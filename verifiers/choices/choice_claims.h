#pragma once

#include <string>
#include <vector>

#include "verifiers/choices/choice_tokens.h"

// Finds what an answer claims about its choices. Pure functions; the context inspected around each letter is
// bounded, so the time is linear in the text.
namespace lvrpo {

// How explicitly a choice is named, the most explicit last.
enum class Strength {
  kListed,     // a line with the letter and its choice's own text
  kMentioned,  // "B is right", "it's B", "option B" as a sentence
  kAlone,      // a line with nothing but the letter
  kAnswered,   // "the answer is B", "I choose B", "B is the answer", "therefore, B"
  kBoxed,      // \boxed{B}
};

struct Claim {
  enum class Kind {
    kAsserted,
    kDenied,     // "it is not B", "B is wrong"
    kDiscussed,  // a line with the letter and other words
    kRetracted,  // "wait, no": all earlier claims
  } kind = Kind::kAsserted;
  Strength strength = Strength::kMentioned;
  Letters letters = 0;    // all named letters: "A or B"
  bool replaces = false;  // replaces earlier claims of the same strength: "but", "so", "final"
};

// The pieces (choice_tokens.h) of the choices' texts, in the order of their letters.
using ChoicePieces = std::vector<std::vector<std::string>>;

// In text order. Questions, conditions, guesses ("it might be B") and other people's opinions are not claims.
std::vector<Claim> ReadClaims(const ChoiceText& text, const ChoicePieces& choices);

}  // namespace lvrpo
