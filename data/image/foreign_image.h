#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// Recognises by its first bytes a file that is not in a supported image format, and says what to do about it:
// "an AVIF picture: save it as PNG or JPEG", "a web page (HTML), ..." (common/files/file_kind.h). Empty when
// it is not one of the common kinds.
std::string NameForeignImage(absl::string_view bytes);

}  // namespace lvrpo
