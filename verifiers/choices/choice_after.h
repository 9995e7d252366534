#pragma once

#include <cstddef>

#include "verifiers/choices/choice_head.h"

namespace lvrpo {

enum class After { kFine, kDenied, kNoClaim };

// What directly follows a choice that the words before it claim: whether it goes on as a claim can. Sets *end
// after what belongs to the choice. Pure.
After AfterTarget(const ChoiceReader& reader, const Target& target, const Head& head, size_t* end);

}  // namespace lvrpo
