#include "common/object_store/s3_address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file_kind.h"
#include "common/names.h"
#include "common/net/host_port.h"

namespace lvrpo {
namespace {

constexpr size_t kMostRegion = 64, kMostPrefix = 512;  // characters

bool IsUnreserved(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '~';
}

std::string Encode(absl::string_view text, bool slashes_too) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c) || (c == '/' && !slashes_too)) {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

bool IsBucket(absl::string_view name) {
  if (name.size() < 3 || name.size() > 63 || absl::StrContains(name, "..")) return false;
  const auto ends_well = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  return ends_well(name.front()) && ends_well(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return ends_well(c) || c == '.' || c == '-'; });
}

// Of the URL, without a slash at the end.
std::string EndpointOf(const S3Server& server) {
  if (server.endpoint.empty()) return absl::StrCat("https://s3.", server.region, ".amazonaws.com");
  return std::string(absl::StripSuffix(server.endpoint, "/"));
}

}  // namespace

absl::StatusOr<S3Place> ParseS3Place(absl::string_view text) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", OneLine(text), "' ", what));
  };
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "s3://")) return wrong("is no s3://bucket/prefix");
  rest = absl::StripSuffix(rest, "/");
  const std::vector<std::string> parts = absl::StrSplit(rest, absl::MaxSplits('/', 1));
  S3Place place = {.bucket = parts[0], .prefix = parts.size() > 1 ? parts[1] : ""};
  if (!IsBucket(place.bucket))
    return wrong("names no bucket: 3 to 63 lower-case letters, digits, dots and hyphens");
  if (place.prefix.size() > kMostPrefix) return wrong("has a prefix of more than 512 characters");
  if (parts.size() == 1) return place;
  for (const absl::string_view part : absl::StrSplit(place.prefix, '/')) {
    const bool plain = std::all_of(part.begin(), part.end(), IsUnreserved);
    if (part.empty() || part == "." || part == ".." || !plain) {
      return wrong(
          "has a prefix that is not made of names: letters, digits, '.', '_', '-' and '~', with one '/' "
          "between");
    }
  }
  return place;
}

absl::Status CheckS3Server(const S3Server& server) {
  if (!IsName(server.region, kMostRegion)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the region '", OneLine(server.region), "' is no name, such as us-east-1"));
  }
  if (server.endpoint.empty()) return absl::OkStatus();
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("the endpoint ", what, ": write https://host or https://host:port"));
  };
  absl::string_view authority = absl::StripSuffix(server.endpoint, "/");
  const bool plain = absl::ConsumePrefix(&authority, "http://");
  if (!plain && !absl::ConsumePrefix(&authority, "https://")) return wrong("has no scheme http or https");
  if (absl::StrContains(authority, "@")) return wrong("holds a user or a password");
  if (authority.find_first_of("/?#") != absl::string_view::npos) return wrong("has more than a host");
  const bool has_port = authority.rfind(':') != absl::string_view::npos && !absl::EndsWith(authority, "]");
  const absl::StatusOr<HostPort> host =
      ParseHostPort(has_port ? std::string(authority) : absl::StrCat(authority, ":1"), AddressUse::kDial);
  if (!host.ok()) return wrong(absl::StrCat("is no address (", host.status().message(), ")"));
  if (plain && !server.allow_plain_http && !host->IsLoopback()) {
    return absl::InvalidArgumentError(
        "the endpoint is http:// on another machine: weights, and session tokens of temporary keys, would "
        "cross the network as plain text; use https, or allow it with plain_http");
  }
  return absl::OkStatus();
}

std::string S3QueryText(S3Query query) {
  std::sort(query.begin(), query.end());
  return absl::StrJoin(query, "&", [](std::string* text, const auto& field) {
    absl::StrAppend(text, Encode(field.first, true), "=", Encode(field.second, true));
  });
}

std::string S3Url(const S3Server& server, const std::string& bucket, absl::string_view key,
                  const S3Query& query) {
  const std::string endpoint = EndpointOf(server);
  const size_t host = endpoint.find("://") + 3;
  std::string url = server.path_style
                        ? absl::StrCat(endpoint, "/", bucket, key.empty() ? "" : "/")
                        : absl::StrCat(endpoint.substr(0, host), bucket, ".", endpoint.substr(host), "/");
  absl::StrAppend(&url, Encode(key, false));
  if (!query.empty()) absl::StrAppend(&url, "?", S3QueryText(query));
  return url;
}

}  // namespace lvrpo
