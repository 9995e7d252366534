#pragma once

#include <string>

#include "absl/strings/string_view.h"

// UTF-8 as bytes. Pure functions; data/unicode/unicode.h has what needs tables.
namespace lvrpo::unicode {

void AppendUtf8(char32_t c, std::string* out);

bool IsValidUtf8(absl::string_view text);

// Every ill-formed part becomes U+FFFD, one for each of what Unicode calls its maximal subparts: what
// Python's bytes.decode("utf-8", errors="replace") gives. Well-formed text stays as it is.
std::string RepairUtf8(absl::string_view text);

}  // namespace lvrpo::unicode
