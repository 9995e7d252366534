#include "reward_server/remote/http/http_client.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/hash.h"
#include "common/http/excerpt.h"
#include "common/net/rpc.h"
#include "reward_server/remote/http/error_object.h"
#include "reward_server/remote/http/url.h"

namespace lvrpo {
namespace {

constexpr size_t kMostRedirect = 200;  // characters

absl::StatusCode CodeOf(int http) {
  switch (http) {
    case 400:
    case 422:
      return absl::StatusCode::kInvalidArgument;
    case 408:
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 502:
    case 503:
    case 520:  // gateways: the upstream is down or failing
    case 521:
    case 522:
    case 523:
    case 524:
    case 529:
      return absl::StatusCode::kUnavailable;
    default:
      return http >= 300 && http < 500 ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kDataLoss;
  }
}

}  // namespace

absl::StatusOr<std::string> ReadHttpAnswer(const std::string& url, HttpAnswer answer,
                                           const std::vector<std::string>& secrets) {
  const bool good = answer.code >= 200 && answer.code < 300;
  std::string what = absl::StrCat(PrintableUrl(url), " answered ", answer.code);
  int code = answer.code;
  std::string words = Excerpt(answer.body, secrets);
  if (good) {
    const std::optional<ErrorObject> error = ReadErrorObject(answer.body);
    if (!error.has_value()) return std::move(answer.body);
    code = error->code;
    absl::StrAppend(&what, code == 0 ? " with an error" : absl::StrCat(" with the error ", code));
    if (!error->message.empty()) words = Excerpt(error->message, secrets);
  } else if (!answer.redirect.empty()) {
    absl::StrAppend(&what, ", which leads to ", OneLine(PrintableUrl(answer.redirect), kMostRedirect),
                    ": redirections are not followed, give the address that is meant");
  }
  if (code == 401 || code == 403) what += ": it wants a key, or another one";
  if (!words.empty()) absl::StrAppend(&what, ": ", words);
  v1::ErrorInfo info;
  info.set_retry_after_seconds(absl::ToDoubleSeconds(answer.retry_after));
  if (code == 400 || CodeOf(code) == absl::StatusCode::kFailedPrecondition)
    info.set_reason(v1::REFUSAL_BY_SCORER);
  return WithReason(absl::Status(CodeOf(code), what), info);
}

std::vector<std::string> HttpClient::Secrets(const std::string& url) const {
  std::vector<std::string> secrets = SecretsOf(url);
  if (!options_.bearer.empty()) secrets.push_back(options_.bearer);
  return secrets;
}

absl::StatusOr<std::string> HttpClient::Read(const std::string& url,
                                             absl::StatusOr<HttpAnswer> answer) const {
  if (answer.ok()) return ReadHttpAnswer(url, *std::move(answer), Secrets(url));
  return absl::Status(answer.status().code(),
                      absl::StrCat(PrintableUrl(url), ": ", answer.status().message()));
}

absl::Status HttpClient::Refused(const absl::Status& status, const std::string& url,
                                 absl::string_view body) const {
  const std::string words = Excerpt(body, Secrets(url));
  v1::ErrorInfo info;
  info.set_reason(v1::REFUSAL_BAD_ANSWER);
  return WithReason(absl::Status(status.code(), absl::StrCat(status.message(),
                                                             words.empty() ? "" : "; it answered: ", words)),
                    info);
}

std::vector<absl::StatusOr<std::string>> HttpClient::Send(const std::vector<HttpRequest>& requests,
                                                          const RetryPolicy& retry) {
  const absl::Time deadline = waiting_.clock->Now() + options_.total;
  std::vector<absl::StatusOr<std::string>> answers(requests.size());
  std::vector<size_t> todo(requests.size());
  std::iota(todo.begin(), todo.end(), 0);
  for (int tries = 1; !todo.empty(); ++tries) {
    HttpOptions options = options_;
    options.total = deadline - waiting_.clock->Now();
    std::vector<HttpRequest> sent;
    for (const size_t index : todo) sent.push_back(requests[index]);
    std::vector<absl::StatusOr<HttpAnswer>> got = transport_->Send(sent, options);
    const absl::Duration left = deadline - waiting_.clock->Now();
    std::vector<size_t> again;
    absl::Duration wait = absl::ZeroDuration();
    for (size_t i = 0; i < todo.size(); ++i) {
      absl::StatusOr<std::string>& answer = answers[todo[i]];
      answer = Read(sent[i].url, std::move(got[i]));
      if (answer.ok()) continue;
      const uint64_t seed = StableHash64(absl::StrCat(sent[i].url, "#", todo[i]));
      const auto one = WaitBeforeRetry(retry, answer.status(), tries, left, seed);
      if (!one.has_value()) continue;
      again.push_back(todo[i]);
      wait = std::max(wait, *one);
    }
    todo = std::move(again);
    if (!todo.empty()) waiting_.sleep(wait);
  }
  return answers;
}

}  // namespace lvrpo
