#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// JSON as widespread writers get it wrong, made well-formed, so that one bad value costs that value and not
// the answer around it: NaN, Infinity and -Infinity, and numbers beyond a double's range, become the strings
// "NaN", "Infinity" and "-Infinity"; what is no text in a string (half a surrogate pair, bytes that are not
// UTF-8, U+0000) becomes U+FFFD. Everything else stays as it is, faults included. Pure; linear.
std::string MendJson(absl::string_view text);

}  // namespace lvrpo
