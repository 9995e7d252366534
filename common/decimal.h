#pragma once

#include "absl/strings/string_view.h"

namespace lvrpo {

// Whether the whole text is a number in plain decimal: "-1", "0.5", ".5", "1e-05". Not the other spellings
// that strtod reads (hexadecimal, "inf", "nan", blanks around it), nor "010", which is 8 to some readers.
bool IsDecimal(absl::string_view text);

}  // namespace lvrpo
