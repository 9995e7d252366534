#include "reward_server/remote/http/url.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lvrpo {
namespace {

// scheme://user@host/path?query#fragment, each with what separates it from the part before.
struct UrlParts {
  absl::string_view scheme, user, host, path, query;
};

UrlParts Split(absl::string_view url) {
  UrlParts parts;
  url = url.substr(0, url.find('#'));
  const size_t scheme = url.find("://");
  // Not that of a URL in the path or the query.
  const bool has_scheme = scheme != absl::string_view::npos && url.find_first_of("/?") == scheme + 1;
  const size_t host = has_scheme ? scheme + 3 : 0;
  const size_t host_end = std::min(url.find_first_of("/?", host), url.size());
  const size_t at = url.substr(host, host_end - host).rfind('@');
  const size_t user_end = at == absl::string_view::npos ? host : host + at + 1;
  const size_t query = std::min(url.find('?', host_end), url.size());
  parts.scheme = url.substr(0, host);
  parts.user = url.substr(host, user_end - host);
  parts.host = url.substr(user_end, host_end - user_end);
  parts.path = url.substr(host_end, query - host_end);
  parts.query = url.substr(query);
  return parts;
}

}  // namespace

std::string JoinUrl(absl::string_view base, absl::string_view path) {
  UrlParts parts = Split(base);
  while (absl::ConsumeSuffix(&parts.path, "/")) {
  }
  if (absl::EndsWith(parts.path, path)) path = "";
  return absl::StrCat(parts.scheme, parts.user, parts.host, parts.path, path, parts.query);
}

std::string PrintableUrl(const std::string& url) {
  const UrlParts parts = Split(url);
  return absl::StrCat(parts.scheme, parts.host, parts.path);
}

std::vector<std::string> SecretsOf(absl::string_view url) {
  const UrlParts parts = Split(url);
  std::vector<std::string> secrets;
  const auto add = [&](absl::string_view secret) {
    if (!secret.empty()) secrets.emplace_back(secret);
  };
  for (const absl::string_view name :
       absl::StrSplit(absl::StripSuffix(parts.user, "@"), absl::MaxSplits(':', 1)))
    add(name);
  for (const absl::string_view member : absl::StrSplit(absl::StripPrefix(parts.query, "?"), '&')) {
    const size_t equals = member.find('=');
    if (equals != absl::string_view::npos) add(member.substr(equals + 1));
  }
  return secrets;
}

}  // namespace lvrpo
