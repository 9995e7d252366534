#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace lvrpo {

// Keys that sign requests. Never shown in a message.
struct S3Credentials {
  std::string access_key, secret_key;
  std::string session_token;  // of temporary keys; else empty
};

struct SignedRequest {
  std::string method = "GET";
  std::string url;                        // as S3Url writes it
  std::vector<std::string> headers = {};  // "name: value"; signed, too
  absl::string_view body = {};            // outlives the request
  size_t most_bytes = size_t{2} << 20;    // of the answer's body
};

struct SignedAnswer {
  int code = 0;  // HTTP's
  std::string body;
  std::map<std::string, std::string> headers;         // names in lower case
  absl::Duration retry_after = absl::ZeroDuration();  // from the server's Retry-After
};

// Single HTTP requests, signed with AWS Signature Version 4 by libcurl. The true SHA-256 of the body is part
// of what is signed: a server refuses a body that was damaged on its way. Redirections are not followed: a
// signature is for one host. Proxies as in common/http/curl.h. Connections are kept and used again.
// Thread-safe: as many requests at once as there are callers.
class SignedHttp {
 public:
  struct Options {
    std::string region = {};                     // of signatures
    std::string ca_file = {};                    // instead of the system's certificates; empty: the system's
    absl::Duration longest = absl::Minutes(10);  // one request
    absl::Duration silence = absl::Seconds(60);  // without a byte in either direction
    std::function<bool()> stop = {};  // polled about once a second; true ends a request; may be null
  };
  explicit SignedHttp(Options options) : options_(std::move(options)) {}
  ~SignedHttp();
  SignedHttp(const SignedHttp&) = delete;

  // Blocks. An answer of any code; without one the errors of CurlFailure, or DataLoss: it is larger than
  // most_bytes. Without credentials the request is not signed.
  absl::StatusOr<SignedAnswer> Send(const SignedRequest& request, const S3Credentials* credentials);

 private:
  void* TakeHandle();  // libcurl's CURL with its connection; null without memory
  void GiveBack(void* handle);

  const Options options_;
  absl::Mutex mutex_;
  std::vector<void*> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
