#include "verifiers/folded.h"

#include "data/unicode.h"

namespace lvrpo {

std::string Folded(absl::string_view text, Spaces spaces, Case letters) {
  std::string composed = unicode::ToNfc(text);
  if (letters == Case::kFold) composed = unicode::ToLower(composed);
  std::string folded;
  folded.reserve(composed.size());
  bool space_before = false;
  for (size_t at = 0; at < composed.size();) {
    const size_t begin = at;
    if (unicode::IsSpace(unicode::NextCodePoint(composed, &at))) {
      space_before = true;
      continue;
    }
    if (space_before && spaces == Spaces::kSingle && !folded.empty()) folded += ' ';
    space_before = false;
    folded.append(composed, begin, at - begin);
  }
  return folded;
}

}  // namespace lvrpo
