#pragma once

#include "verifiers/lexicon/choice_words.h"

namespace lvrpo {

// What a character that is no part of a word means; kMark when it has none.
Term SymbolTerm(char32_t c);

}  // namespace lvrpo
