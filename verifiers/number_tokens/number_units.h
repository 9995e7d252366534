#pragma once

#include "absl/strings/string_view.h"

// Units of what a number counts or measures. Words are given as written; case matters where it is
// significant ("m" and "M"). Pure functions.
namespace lvrpo::numbers {

// Units that may directly follow the digits or carry an exponent: "kg", "m", "feet", ordinal endings.
bool IsUnit(absl::string_view word);
// "USD", "Rs": may stand between a sign and the number, and right before the digits.
bool IsCurrencyCode(absl::string_view word);
// Endings of ordinals right after the digits, which are words elsewhere; after a hyphen, as Russian has them.
bool IsOrdinalEnding(absl::string_view word);
bool IsHyphenatedOrdinalEnding(absl::string_view word);
// Whether a quantity in `large` goes on with one in `small`: "5 pounds 3 ounces", "2 weeks and 3 days".
bool GoesOnIn(absl::string_view large, absl::string_view small);

}  // namespace lvrpo::numbers
