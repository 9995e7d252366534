#pragma once

#include <span>

#include "verifiers/lexicon/choice_words.h"

// The tables of ChoiceWords that have separate files.
namespace lvrpo {

std::span<const TermWords> FrenchWords();
std::span<const TermWords> SpanishWords();
std::span<const TermWords> ItalianWords();
std::span<const TermWords> PortugueseWords();
std::span<const TermWords> ChineseWords();
std::span<const TermWords> JapaneseWords();
std::span<const TermWords> KoreanWords();

}  // namespace lvrpo
