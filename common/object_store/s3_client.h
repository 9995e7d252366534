#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/net/retry.h"
#include "common/object_store/credentials.h"
#include "common/object_store/s3_address.h"
#include "common/object_store/s3_xml.h"
#include "common/object_store/signed_http.h"

namespace lvrpo {

// The objects of one bucket of an S3-compatible server. What is retried says JudgeS3Answer; connections that
// break and servers that are too slow are retried as well: every request here may be repeated. Errors are
// those of JudgeS3Answer and SignedHttp in one sentence, with the key and the server's own words and never
// with a secret; Cancelled: `stop` said so. Thread-safe.
class S3Client {
 public:
  struct Options {
    S3Server server;
    std::string bucket;
    std::string profile = {};  // of CredentialSource
    std::function<std::string(const char* name)> variable = EnvironmentVariable;
    RetryPolicy retry = {.retries = 5};
    std::function<bool()> stop = {};  // polled about once a second, and before each retry; may be null
    absl::Duration silence = absl::Seconds(60);  // a server that is silent for longer is too slow
    Waiting waiting = {};                        // between retries
  };
  explicit S3Client(Options options);

  // Writes an object; the server checks the body's SHA-256. With `only_new` AlreadyExists when there is one:
  // then exactly one of several writers succeeds. An object that is there with these very bytes counts as
  // written: an answer may have been lost.
  absl::Status Put(const std::string& key, absl::string_view bytes, bool only_new = false);
  // NotFound: there is none. DataLoss: it has more than `most` bytes.
  absl::StatusOr<std::string> Get(const std::string& key, size_t most);
  // Exactly `count` bytes (at least 1) from `first` on. DataLoss: there are fewer.
  absl::StatusOr<std::string> GetRange(const std::string& key, int64_t first, int64_t count);
  absl::StatusOr<int64_t> Size(const std::string& key);  // bytes; NotFound
  // All objects whose keys begin so. DataLoss: the server lists others, or more than 100000.
  absl::StatusOr<std::vector<S3Object>> List(const std::string& prefix);
  absl::Status Delete(const std::string& key);  // OK when there is none

  // An object in parts, which appears when it is completed. Begin gives the upload's id, PutPart (numbered
  // from 1) a part's ETag.
  absl::StatusOr<std::string> BeginUpload(const std::string& key);
  absl::StatusOr<std::string> PutPart(const std::string& key, const std::string& upload, int number,
                                      absl::string_view bytes);
  // `size` of the whole object: an upload that is gone while the object is there was completed before.
  absl::Status CompleteUpload(const std::string& key, const std::string& upload,
                              const std::vector<std::string>& etags, int64_t size);
  absl::Status AbortUpload(const std::string& key, const std::string& upload);
  // Uploads that were begun below the prefix and not ended, at most 1000.
  absl::StatusOr<std::vector<S3Upload>> Uploads(const std::string& prefix);

 private:
  struct Request {
    std::string method, key;
    S3Query query = {};
    std::vector<std::string> headers = {};
    absl::string_view body = {};
    size_t most_bytes = kMostXml;
    bool error_in_success = false;  // 200 with an error in the body
  };
  absl::StatusOr<SignedAnswer> Send(const Request& request);
  // One try. `retry`: whether another may help; `asked`: the server's Retry-After.
  struct Try {
    absl::StatusOr<SignedAnswer> answer;
    bool retry = false;
    absl::Duration asked = absl::ZeroDuration();
  };
  Try SendOnce(const Request& request);
  Try Judge(const Request& request, SignedAnswer answer, const S3Credentials& credentials);
  absl::Status Explained(const Request& request, const absl::Status& status) const;

  const Options options_;
  SignedHttp http_;
  CredentialSource credentials_;
};

}  // namespace lvrpo
