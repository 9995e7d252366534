#include "common/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

bool IsName(absl::string_view text, size_t most) {
  return !text.empty() && text.size() <= most && text[0] != '-' && text[0] != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
         });
}

std::string NameRule(size_t most) {
  return absl::StrCat("1 to ", most,
                      " letters, digits, '.', '_' and '-', beginning with neither '.' nor '-'");
}

}  // namespace lvrpo
