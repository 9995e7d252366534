#include "reward_server/remote/http/curl_transport.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/http/curl.h"
#include "reward_server/remote/http/external_tls.h"
#include "reward_server/remote/http/remote_status.h"

namespace lvrpo {
namespace {

constexpr int kLongestPoll = 1000;                             // ms; libcurl wakes earlier by itself
constexpr absl::Duration kLeastTime = absl::Milliseconds(10);  // with less left nothing is sent

// One request in flight.
class Call {
 public:
  Call(const HttpRequest& request, size_t index, const HttpOptions& options, absl::Duration timeout)
      : index_(index), most_bytes_(options.most_bytes), easy_(MakeCurl()) {
    if (easy_ == nullptr) return;
    AimCurl(easy_, request.url, timeout, error_);
    curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can undo
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Call::Write);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
    AddHeader("Accept: application/json");
    AddHeader("Expect:");  // with servers that do not support it curl waits a second
    if (!options.bearer.empty()) AddHeader("Authorization: Bearer " + options.bearer);
    if (request.json) {
      sent_ = request.json();
      AddHeader("Content-Type: application/json");
      curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, sent_.data());
      curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(sent_.size()));
    }
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  }
  ~Call() {
    curl_easy_cleanup(easy_);
    curl_slist_free_all(headers_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  size_t index() const { return index_; }
  CURL* easy() const { return easy_; }

  // What came of it.
  absl::StatusOr<HttpAnswer> Finish(CURLcode result) {
    if (too_big_) {
      return BadAnswer(absl::StrCat("the answer has more than ", most_bytes_, " bytes"));
    }
    if (result != CURLE_OK) return CurlFailure(easy_, result, error_);
    long code = 0;  // NOLINT(google-runtime-int): libcurl's type
    curl_off_t retry_after = 0;
    const char* redirect = nullptr;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &redirect);
    return HttpAnswer{.code = static_cast<int>(code),
                      .body = std::move(body_),
                      .retry_after = absl::Seconds(retry_after),
                      .redirect = redirect == nullptr ? "" : redirect};
  }

 private:
  static size_t Write(char* data, size_t size, size_t count, void* call) {
    auto* self = static_cast<Call*>(call);
    if (self->body_.size() + size * count > self->most_bytes_) {
      self->too_big_ = true;
      return CURL_WRITEFUNC_ERROR;
    }
    self->body_.append(data, size * count);
    return size * count;
  }

  void AddHeader(const std::string& line) { headers_ = curl_slist_append(headers_, line.c_str()); }

  const size_t index_;
  const size_t most_bytes_;
  CURL* const easy_;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = "";
  std::string sent_;
  std::string body_;
  bool too_big_ = false;
};

void UseExternalTls(CURL* easy, const ExternalTls& tls) {
  if (tls.ca.empty()) return;
  curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca.c_str());  // the system's CAs are in CURLOPT_CAPATH, too
  if (tls.certificate.empty()) return;
  curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate.c_str());
  curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
}

// The calls in flight; its destructor removes them from libcurl.
class Running {
 public:
  explicit Running(CURLM* multi) : multi_(multi) {}
  ~Running() {
    for (const auto& [easy, call] : calls_) curl_multi_remove_handle(multi_, easy);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  size_t size() const { return calls_.size(); }
  bool Add(std::unique_ptr<Call> call) {
    if (call->easy() == nullptr || curl_multi_add_handle(multi_, call->easy()) != CURLM_OK) return false;
    calls_[call->easy()] = std::move(call);
    return true;
  }
  std::unique_ptr<Call> Take(CURL* easy) {
    curl_multi_remove_handle(multi_, easy);
    return std::move(calls_.extract(easy).mapped());
  }

 private:
  CURLM* const multi_;
  std::map<CURL*, std::unique_ptr<Call>> calls_;
};

}  // namespace

CurlTransport::CurlTransport() : multi_((StartCurl(), curl_multi_init())) {}

CurlTransport::~CurlTransport() { curl_multi_cleanup(multi_); }

std::vector<absl::StatusOr<HttpAnswer>> CurlTransport::Send(std::span<const HttpRequest> requests,
                                                            const HttpOptions& options) {
  std::vector<absl::StatusOr<HttpAnswer>> answers(
      requests.size(), absl::StatusOr<HttpAnswer>(absl::InternalError("libcurl gave up")));
  if (multi_ == nullptr) return answers;
  if (!tls_.ok()) return std::vector<absl::StatusOr<HttpAnswer>>(requests.size(), tls_.status());
  const absl::Time deadline = RealClock().Now() + options.total;  // libcurl's own time is real, too
  Running running(multi_);
  size_t next = 0;
  while (next < requests.size() || running.size() > 0) {
    while (next < requests.size() && running.size() < static_cast<size_t>(std::max(1, options.concurrency))) {
      const size_t index = next++;
      const absl::Duration left = deadline - RealClock().Now();
      if (left < kLeastTime) {
        answers[index] = absl::DeadlineExceededError("no time was left to send it");
      } else {
        auto call = std::make_unique<Call>(requests[index], index, options, std::min(options.timeout, left));
        if (call->easy() != nullptr) UseExternalTls(call->easy(), *tls_);
        running.Add(std::move(call));
      }
    }
    int active = 0;
    if (curl_multi_perform(multi_, &active) != CURLM_OK) return answers;
    bool ended = false;
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode result = message->data.result;  // the message is freed with its handle
      const std::unique_ptr<Call> call = running.Take(message->easy_handle);
      answers[call->index()] = call->Finish(result);
      ended = true;
    }
    if (!ended && running.size() > 0) curl_multi_poll(multi_, nullptr, 0, kLongestPoll, nullptr);
  }
  return answers;
}

}  // namespace lvrpo
