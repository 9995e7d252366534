#include "common/object_store/signed_http.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/http/curl.h"

namespace lvrpo {
namespace {

constexpr size_t kMostHeaders = 200, kMostHeaderBytes = 16 << 10;

// One request on a handle.
class Call {
 public:
  Call(CURL* easy, const SignedRequest& request, const SignedHttp::Options& options,
       const S3Credentials* credentials)
      : easy_(easy), most_bytes_(request.most_bytes), stop_(options.stop) {
    SetUpCurl(easy_);
    AimCurl(easy_, request.url, options.longest, error_);
    Set(CURLOPT_PATH_AS_IS, 1L);                // the path that is signed is the path that is sent
    Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // those of a proxy
    Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(absl::ToInt64Seconds(options.silence)));  // NOLINT
    if (!options.ca_file.empty()) Set(CURLOPT_CAINFO, options.ca_file.c_str());
    Set(CURLOPT_WRITEFUNCTION, &Call::Write);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Call::Header);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, &Call::Progress);
    Set(CURLOPT_XFERINFODATA, this);
    SetMethod(request);
    if (credentials != nullptr) Sign(request, options.region, *credentials);
    AddHeader("Expect:");  // with servers that do not support it curl waits a second
    for (const std::string& line : request.headers) AddHeader(line);
    Set(CURLOPT_HTTPHEADER, headers_);
  }
  ~Call() {
    curl_easy_reset(easy_);  // libcurl keeps pointers to this object, and the keys, until then
    curl_slist_free_all(headers_);
  }
  Call(const Call&) = delete;

  absl::StatusOr<SignedAnswer> Run() {
    const CURLcode result = curl_easy_perform(easy_);
    if (too_big_)
      return absl::DataLossError(absl::StrCat("the answer has more than ", most_bytes_, " bytes"));
    if (result != CURLE_OK) return CurlFailure(easy_, result, error_);
    long code = 0;  // NOLINT(google-runtime-int): libcurl's type
    curl_off_t retry_after = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
    answer_.code = static_cast<int>(code);
    answer_.retry_after = absl::Seconds(retry_after);
    return std::move(answer_);
  }

 private:
  template <class Value>
  void Set(CURLoption option, Value value) {
    curl_easy_setopt(easy_, option, value);
  }
  void SetMethod(const SignedRequest& request) {
    if (request.method == "HEAD") return Set(CURLOPT_NOBODY, 1L);
    if (request.method == "PUT" || request.method == "POST") {
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      Set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    }
    Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  void Sign(const SignedRequest& request, const std::string& region, const S3Credentials& credentials) {
    Set(CURLOPT_AWS_SIGV4, absl::StrCat("aws:amz:", region, ":s3").c_str());
    Set(CURLOPT_USERNAME, credentials.access_key.c_str());
    Set(CURLOPT_PASSWORD, credentials.secret_key.c_str());
    // libcurl 7.88 does not send it by itself; given here, it is signed.
    AddHeader(absl::StrCat("x-amz-content-sha256: ", Sha256Hex(request.body)));
    if (!credentials.session_token.empty())
      AddHeader(absl::StrCat("x-amz-security-token: ", credentials.session_token));
    if (request.method == "PUT") AddHeader("Content-Type: application/octet-stream");
  }
  void AddHeader(const std::string& line) { headers_ = curl_slist_append(headers_, line.c_str()); }

  static size_t Write(char* data, size_t size, size_t count, void* call) {
    auto* self = static_cast<Call*>(call);
    if (self->answer_.body.size() + size * count > self->most_bytes_) {
      self->too_big_ = true;
      return CURL_WRITEFUNC_ERROR;
    }
    self->answer_.body.append(data, size * count);
    return size * count;
  }
  static size_t Header(char* data, size_t size, size_t count, void* call) {
    auto& headers = static_cast<Call*>(call)->answer_.headers;
    const absl::string_view line(data, size * count);
    const size_t colon = line.find(':');
    if (colon != absl::string_view::npos && headers.size() < kMostHeaders && line.size() < kMostHeaderBytes) {
      headers[absl::AsciiStrToLower(line.substr(0, colon))] =
          std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
    return size * count;
  }
  static int Progress(void* call, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto* self = static_cast<Call*>(call);
    return self->stop_ && self->stop_() ? 1 : 0;
  }

  CURL* const easy_;
  const size_t most_bytes_;
  const std::function<bool()>& stop_;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = "";
  bool too_big_ = false;
  SignedAnswer answer_;
};

}  // namespace

SignedHttp::~SignedHttp() {
  absl::MutexLock lock(&mutex_);
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

void* SignedHttp::TakeHandle() {
  {
    absl::MutexLock lock(&mutex_);
    if (!idle_.empty()) {
      void* handle = idle_.back();
      idle_.pop_back();
      return handle;
    }
  }
  return MakeCurl();
}

void SignedHttp::GiveBack(void* handle) {
  absl::MutexLock lock(&mutex_);
  idle_.push_back(handle);
}

absl::StatusOr<SignedAnswer> SignedHttp::Send(const SignedRequest& request,
                                              const S3Credentials* credentials) {
  if (options_.stop && options_.stop()) return absl::CancelledError("stopped");
  void* handle = TakeHandle();
  if (handle == nullptr) return absl::ResourceExhaustedError("libcurl has no memory");
  absl::StatusOr<SignedAnswer> answer = Call(handle, request, options_, credentials).Run();
  GiveBack(handle);
  return answer;
}

}  // namespace lvrpo
