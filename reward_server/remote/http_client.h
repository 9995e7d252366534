#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reward_server/remote/http.h"
#include "reward_server/remote/retry.h"

namespace lvrpo {

// What an answer means: its body (codes of 200 to 299), or in one line who said what. Never with a password
// of the URL.
//   400, 422: InvalidArgument; other 4xx and redirections: FailedPrecondition; 429: ResourceExhausted;
//   502, 503: Unavailable; 408, 504: DeadlineExceeded; everything else: Internal.
// ErrorInfo.retry_after_seconds is what the server asked for.
absl::StatusOr<std::string> ReadHttpAnswer(const std::string& url, HttpAnswer answer);

// A URL as messages may show it: without user, password and query.
std::string PrintableUrl(const std::string& url);

// Sends requests that may be repeated, and repeats them where that helps. Called by one thread at a time.
class HttpClient {
 public:
  HttpClient(std::unique_ptr<HttpTransport> transport, HttpOptions options, Waiting waiting = {})
      : transport_(std::move(transport)), options_(std::move(options)), waiting_(std::move(waiting)) {}

  // Bodies of the answers, in order; failures as in HttpTransport and ReadHttpAnswer, each naming its URL and
  // never the key. Blocks until options.total is over, waits between tries included.
  std::vector<absl::StatusOr<std::string>> Send(const std::vector<HttpRequest>& requests,
                                                const RetryPolicy& retry);
  absl::StatusOr<std::string> SendOne(const HttpRequest& request, const RetryPolicy& retry) {
    return std::move(Send({request}, retry)[0]);
  }

 private:
  absl::StatusOr<std::string> Read(const std::string& url, absl::StatusOr<HttpAnswer> answer) const;

  const std::unique_ptr<HttpTransport> transport_;
  const HttpOptions options_;
  const Waiting waiting_;
};

}  // namespace lvrpo
