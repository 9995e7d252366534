#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// What a file is that is no image this project reads, by its first bytes, and what to do about it: "an AVIF
// picture: save it as PNG or JPEG", "a web page (HTML), ..." (common/files/file_kind.h). Empty when it is
// none of those that are often met.
std::string NameForeignImage(absl::string_view bytes);

}  // namespace lvrpo
