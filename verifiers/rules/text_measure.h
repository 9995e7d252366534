#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

// Lengths of texts. All need well-formed UTF-8 and make one pass.
namespace lvrpo {

int64_t CountCharacters(absl::string_view text);  // code points, white space at both ends excluded
int64_t CountWords(absl::string_view text);       // runs of what is not white space
int64_t CountLines(absl::string_view text);       // lines that are not blank; ended by LF or CR

// A sentence holds a letter or a number and ends with a run of . ! ? or an ellipsis (closing quotes and
// brackets may follow) before white space, with a CJK full stop, or with the text. So "3.5" is no end, but
// the period of "Dr. Smith" is one, and a heading without a period belongs to what follows it.
int64_t CountSentences(absl::string_view text);

}  // namespace lvrpo
