#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// XML from and for a server that is not trusted. A document has at most 2 MiB and 100000 tags; document types
// and entities of its own are skipped, never expanded. DataLoss: it is malformed, out of bounds, or another
// document than was asked for. Pure functions.
namespace lvrpo {

inline constexpr size_t kMostXml = size_t{2} << 20;  // bytes

// The error in a body; both empty when it holds none.
struct S3Error {
  std::string code, message;
};
S3Error ReadS3Error(absl::string_view body);

struct S3Object {
  std::string key;
  int64_t size = 0;  // bytes
};
// One page of a list.
struct S3Page {
  std::vector<S3Object> objects;
  std::string next;  // token of the next page; empty: this is the last
};
absl::StatusOr<S3Page> ReadS3Page(absl::string_view body);

// Multipart uploads that were begun and neither completed nor aborted.
struct S3Upload {
  std::string key, id;
};
absl::StatusOr<std::vector<S3Upload>> ReadS3Uploads(absl::string_view body);
// The id of an upload that begins.
absl::StatusOr<std::string> ReadS3UploadId(absl::string_view body);
// The body that completes an upload of parts 1, 2, ... with these ETags.
std::string S3CompletionXml(const std::vector<std::string>& etags);

// Temporary keys of AssumeRoleWithWebIdentity.
struct AssumedRole {
  std::string access_key, secret_key, session_token;
  absl::Time expires;
};
absl::StatusOr<AssumedRole> ReadAssumedRole(absl::string_view body);

}  // namespace lvrpo
