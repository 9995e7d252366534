#pragma once

#include "verifiers/choices/choice_claims.h"

// Which choice an answer names, when all that it says is counted. Pure functions, linear.
namespace lvrpo {

// The letters that the claims leave standing: those of the plainest strength that leaves any.
Letters Standing(const std::vector<Claim>& claims);

// What a text names that is a letter ("(B)", "option B"), letters ("A, C"), a letter with its choice's text
// or a choice's text, and nothing else; 0 for any other.
Letters ReadWhole(const ChoiceText& text, const ChoicePieces& choices);

// What the content of a box or tag names: as ReadWhole does, or a letter with a delimiter and any text that
// does not judge it ("B. The city"), or what its claims leave standing.
Letters ReadContent(const ChoiceText& content, const ChoicePieces& choices);

// Fills in what each box of the text names.
void NameBoxes(const ChoicePieces& choices, ChoiceText* text);

}  // namespace lvrpo
