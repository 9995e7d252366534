#include "reward_server/remote/http_client.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/hash.h"
#include "common/rpc.h"
#include "data/unicode.h"

namespace lvrpo {
namespace {

constexpr size_t kMostExcerpt = 200;  // bytes

// The beginning of what a server said, as part of a line.
std::string Excerpt(const std::string& body) {
  std::string text = unicode::RepairUtf8(absl::string_view(body).substr(0, kMostExcerpt));
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::RemoveExtraAsciiWhitespace(&text);
  return body.size() > kMostExcerpt ? text + " ..." : text;
}

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
      return absl::StatusCode::kUnavailable;
    default:
      return http >= 300 && http < 500 ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kInternal;
  }
}

}  // namespace

std::string PrintableUrl(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t host_end = std::min(url.find_first_of("/?#", host), url.size());
  const size_t at = url.rfind('@', host_end);
  const size_t from = at == std::string::npos || at < host || at >= host_end ? host : at + 1;
  const size_t end = std::min(url.find_first_of("?#", host_end), url.size());
  return absl::StrCat(url.substr(0, host), url.substr(from, end - from));
}

absl::StatusOr<std::string> ReadHttpAnswer(const std::string& url, HttpAnswer answer) {
  if (answer.code >= 200 && answer.code < 300) return std::move(answer.body);
  std::string what = absl::StrCat(PrintableUrl(url), " answered ", answer.code);
  if (!answer.redirect.empty()) {
    absl::StrAppend(&what, ", which leads to ", PrintableUrl(answer.redirect),
                    ": redirections are not followed, give the address that is meant");
  } else if (answer.code == 401 || answer.code == 403) {
    what += ": it wants a key, or another one";  // its own words may hold the key
  } else if (const std::string excerpt = Excerpt(answer.body); !excerpt.empty()) {
    absl::StrAppend(&what, ": ", excerpt);
  }
  v1::ErrorInfo info;
  info.set_retry_after_seconds(absl::ToDoubleSeconds(answer.retry_after));
  return WithReason(absl::Status(CodeOf(answer.code), what), info);
}

absl::StatusOr<std::string> HttpClient::Read(const std::string& url,
                                             absl::StatusOr<HttpAnswer> answer) const {
  absl::StatusOr<std::string> body =
      answer.ok() ? ReadHttpAnswer(url, *std::move(answer))
                  : absl::Status(answer.status().code(),
                                 absl::StrCat(PrintableUrl(url), ": ", answer.status().message()));
  if (body.ok() || options_.bearer.empty()) return body;
  const v1::ErrorInfo info = ErrorInfoOf(body.status());
  return WithReason(absl::Status(body.status().code(),
                                 absl::StrReplaceAll(body.status().message(), {{options_.bearer, "[key]"}})),
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
