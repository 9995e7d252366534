#include "common/http/curl.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/version.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLongestConnecting = absl::Seconds(5);

// libcurl's milliseconds, at least 1: 0 would mean no limit.
long Milliseconds(absl::Duration duration) {  // NOLINT(google-runtime-int): libcurl's type
  return static_cast<long>(std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1, 1000000000));
}

bool Connected(CURL* easy) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &microseconds);
  return microseconds > 0;
}

}  // namespace

void StartCurl() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
}

CURL* MakeCurl() {
  StartCurl();
  CURL* easy = curl_easy_init();
  if (easy != nullptr) SetUpCurl(easy);
  return easy;
}

void SetUpCurl(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, absl::StrCat("lvrpo/", kVersion).c_str());
}

void AimCurl(CURL* easy, const std::string& url, absl::Duration timeout, char* error) {
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, Milliseconds(timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(std::min(timeout, kLongestConnecting)));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
}

absl::Status CurlFailure(CURL* easy, CURLcode result, const char* error) {
  const std::string what = error[0] != '\0' ? error : curl_easy_strerror(result);
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      // The server did not receive the request.
      if (!Connected(easy)) return absl::UnavailableError("no connection: " + what);
      return absl::DeadlineExceededError(what);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:  // certificates that are refused have another code
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return absl::UnavailableError(what);
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError("stopped");
    default:  // the address, the certificate, or what is there does not speak HTTP
      return absl::FailedPreconditionError(what);
  }
}

}  // namespace lvrpo
