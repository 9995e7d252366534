#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// URLs from settings. Pure functions.
namespace lvrpo {

// `path` ("/score", or nothing) below `base`, by the rules for URLs: after the path of `base` with one slash
// between, before its query, without its fragment. A base whose path already ends with `path` is returned as
// it is.
std::string JoinUrl(absl::string_view base, absl::string_view path);

// A URL for messages: without user, password and query.
std::string PrintableUrl(const std::string& url);

// The secrets that PrintableUrl removes and a server might quote: user, password and the values of the query.
std::vector<std::string> SecretsOf(absl::string_view url);

}  // namespace lvrpo
