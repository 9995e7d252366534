#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Where objects are: the words of a configuration, and the URLs of requests. Pure functions.
namespace lvrpo {

// "s3://bucket/prefix". The prefix has no slash at its ends and may be empty.
struct S3Place {
  std::string bucket, prefix;
};

// InvalidArgument: it is no such place, or the bucket's name is not 3 to 63 lower-case letters, digits, dots
// and hyphens, or the prefix has an empty part, "." or "..".
absl::StatusOr<S3Place> ParseS3Place(absl::string_view text);

// The server of a bucket.
struct S3Server {
  std::string endpoint = {};      // "https://host[:port]"; empty: Amazon's of the region
  std::string region = {};        // for signatures
  bool path_style = false;        // https://host/bucket/key instead of https://bucket.host/key
  bool allow_plain_http = false;  // http:// to other machines, too
  std::string ca_file = {};       // certificates to trust instead of the system's; empty: the system's
};

// InvalidArgument: the endpoint is no "http(s)://host[:port]", or is plain text to another machine and that
// is not allowed; or the region is empty or no name.
absl::Status CheckS3Server(const S3Server& server);

using S3Query = std::vector<std::pair<std::string, std::string>>;

// "name=value&name=value", percent-encoded, sorted by name, every name followed by "=" ("uploads="): as a
// signature wants a query, and as forms are sent.
std::string S3QueryText(S3Query query);

// The URL of an object, or of the bucket itself for an empty key. Everything is percent-encoded as the
// signature wants it: libcurl signs what it finds here.
std::string S3Url(const S3Server& server, const std::string& bucket, absl::string_view key,
                  const S3Query& query);

}  // namespace lvrpo
