#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Addresses as settings give them. Pure functions.
namespace lvrpo {

// `path` ("/score", or nothing) below `base`, by the rules for URLs: after the path of `base` with one slash
// between, before its query, without its fragment. A base whose path ends so already is what is meant.
std::string JoinUrl(absl::string_view base, absl::string_view path);

// A URL as messages may show it: without user, password and query.
std::string PrintableUrl(const std::string& url);

// What PrintableUrl leaves out and a server might repeat: user, password and the values of the query.
std::vector<std::string> SecretsOf(absl::string_view url);

}  // namespace lvrpo
