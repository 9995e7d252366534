#pragma once

#include <string>
#include <vector>

#include "verifiers/choices/choice_tokens.h"

// What an answer says of its choices. Pure functions; only so much is looked at around each letter that the
// time is linear in the text.
namespace lvrpo {

// How plainly a choice is named, the plainest last.
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
    kRetracted,  // "wait, no": all that was said before
  } kind = Kind::kAsserted;
  Strength strength = Strength::kMentioned;
  Letters letters = 0;    // all that it names: "A or B"
  bool replaces = false;  // what was said before with the same strength: "but", "so", "final"
};

// The pieces (choice_tokens.h) of the choices' texts, in the order of their letters.
using ChoicePieces = std::vector<std::vector<std::string>>;

// In the order in which they are said. Questions, conditions, guesses ("it might be B") and what others say
// are none.
std::vector<Claim> ReadClaims(const ChoiceText& text, const ChoicePieces& choices);

}  // namespace lvrpo
