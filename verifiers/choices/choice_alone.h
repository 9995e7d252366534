#pragma once

#include <cstddef>

#include "verifiers/choices/choice_head.h"

// Choices that are claimed by where they stand. Pure functions.
namespace lvrpo {

// Whether the choice at `target`, with which its sentence begins, is a line after one such as "Answer:".
bool IsUnderHeading(const ChoiceReader& reader, const Sentence& sentence, size_t target);

// Whether it is a letter after a question or a denial ("Not A. B."), goes on with ", not A", or begins a line
// with a reason after it ("B, since A is wrong").
bool AnswersAlone(const ChoiceReader& reader, const Sentence& sentence, size_t target);

// Whether it is named in the place of a choice that was denied ("not A but B").
bool IsCorrection(const ChoiceReader& reader, const Sentence& sentence, size_t target);

}  // namespace lvrpo
