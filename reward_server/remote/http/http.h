#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lvrpo {

struct HttpRequest {
  std::string url;
  // Builds the JSON of a POST when it is sent, so that many large bodies are not in memory at once; empty: a
  // GET.
  std::function<std::string()> json = {};
};

struct HttpAnswer {
  int code = 0;  // HTTP's
  std::string body = {};
  absl::Duration retry_after = absl::ZeroDuration();  // from the server's Retry-After
  std::string redirect = {};                          // target of a redirection
};

inline constexpr size_t kMostHttpAnswer = size_t{16} << 20;  // bytes, the default

struct HttpOptions {
  int concurrency = 8;                              // requests at once
  absl::Duration timeout = absl::Seconds(10);       // of one request, from connecting on
  absl::Duration total = absl::InfiniteDuration();  // of all of them
  size_t most_bytes = kMostHttpAnswer;              // of one answer
  std::string bearer = {};                          // bearer token; empty: none
};

// Sends requests and returns the answers, without retries. Called by one thread at a time.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Blocks until all are answered or failed, by options.total at the latest. One answer a request, in order,
  // whatever its code. Without an answer: Unavailable (no connection, or it broke), DeadlineExceeded,
  // FailedPrecondition (a bad address or certificate), DataLoss (an answer above most_bytes).
  virtual std::vector<absl::StatusOr<HttpAnswer>> Send(std::span<const HttpRequest> requests,
                                                       const HttpOptions& options) = 0;
};

}  // namespace lvrpo
