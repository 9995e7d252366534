#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// Repairs common errors of JSON writers, so that one bad value does not invalidate the whole answer: NaN,
// Infinity and -Infinity, and numbers beyond a double's range, become the strings "NaN", "Infinity" and
// "-Infinity"; invalid text in a string (a lone surrogate, bytes that are not UTF-8, U+0000) becomes U+FFFD.
// Everything else stays as it is, errors included. Pure; linear.
std::string MendJson(absl::string_view text);

}  // namespace lvrpo
