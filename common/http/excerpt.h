#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Excerpts of server responses for messages, without secrets. Pure functions.
namespace lvrpo {

// The first 200 bytes of a body, as UTF-8 in one line, without secrets; "" of a body without a visible
// character. A word that shares 8 bytes in a row with a secret, or is a shorter one, is shown as "[key]", and
// so is one that was made unreadable with asterisks: servers that refuse a key often quote part of it.
std::string Excerpt(absl::string_view body, const std::vector<std::string>& secrets);

}  // namespace lvrpo
