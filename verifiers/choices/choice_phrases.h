#pragma once

#include "verifiers/choices/choice_tokens.h"

namespace lvrpo {

// Joins words to the longest phrases that the lexicon has, and tells letters from articles.
void JoinPhrases(ChoiceText* text);

}  // namespace lvrpo
