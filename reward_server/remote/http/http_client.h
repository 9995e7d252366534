#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/net/retry.h"
#include "reward_server/remote/http/http.h"

namespace lvrpo {

// Interprets an answer: its body (status codes 200 to 299, unless it is an error object, error_object.h,
// whose code is used instead), or an error in one line (excerpt.h), never with a password of the URL or one
// of the secrets.
//   400, 422: InvalidArgument; other 4xx and redirections: FailedPrecondition; 429: ResourceExhausted;
//   502, 503, 520 to 524, 529: Unavailable; 408, 504: DeadlineExceeded; everything else: DataLoss.
// ErrorInfo.retry_after_seconds is the server's Retry-After; the reason is REFUSAL_BY_SCORER for 400
// and FailedPrecondition.
absl::StatusOr<std::string> ReadHttpAnswer(const std::string& url, HttpAnswer answer,
                                           const std::vector<std::string>& secrets = {});

// Sends idempotent requests, and retries them where that helps. Called by one thread at a time.
class HttpClient {
 public:
  HttpClient(std::unique_ptr<HttpTransport> transport, HttpOptions options, Waiting waiting = {})
      : transport_(std::move(transport)), options_(std::move(options)), waiting_(std::move(waiting)) {}

  // Bodies of the answers, in order; failures as in HttpTransport and ReadHttpAnswer, each naming its URL and
  // never the key. Blocks for at most options.total, waits between tries included.
  std::vector<absl::StatusOr<std::string>> Send(const std::vector<HttpRequest>& requests,
                                                const RetryPolicy& retry);
  absl::StatusOr<std::string> SendOne(const HttpRequest& request, const RetryPolicy& retry) {
    return std::move(Send({request}, retry)[0]);
  }

  // The error for a malformed body from that URL, with its beginning and never the key; the reason is
  // REFUSAL_BAD_ANSWER.
  absl::Status Refused(const absl::Status& status, const std::string& url, absl::string_view body) const;

 private:
  // Secrets that messages about that URL's answers must not show.
  std::vector<std::string> Secrets(const std::string& url) const;
  absl::StatusOr<std::string> Read(const std::string& url, absl::StatusOr<HttpAnswer> answer) const;

  const std::unique_ptr<HttpTransport> transport_;
  const HttpOptions options_;
  const Waiting waiting_;
};

}  // namespace lvrpo
