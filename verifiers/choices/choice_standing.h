#pragma once

#include "verifiers/choices/choice_claims.h"

// Decides which choice an answer names, from all its claims. Pure functions, linear.
namespace lvrpo {

// The letters claimed and not denied or retracted, of the greatest strength that has any.
Letters Standing(const std::vector<Claim>& claims);

// The letters named by a text that is only a letter ("(B)", "option B"), letters ("A, C"), a letter with its
// choice's text or a choice's text, 0 for any other text.
Letters ReadWhole(const ChoiceText& text, const ChoicePieces& choices);

// The letters named by the content of a box or tag: as ReadWhole does, or a letter with a delimiter and any
// text that does not judge it ("B. The city"), or the remaining letters of its claims.
Letters ReadContent(const ChoiceText& content, const ChoicePieces& choices);

// Fills in the letters that each box of the text names.
void NameBoxes(const ChoicePieces& choices, ChoiceText* text);

}  // namespace lvrpo
