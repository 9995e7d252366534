#pragma once

#include <curl/curl.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

// What everything that speaks HTTP through libcurl shares. Thread-safe.
namespace lvrpo {

// Before anything else of libcurl; further calls do nothing. MakeCurl does it too.
void StartCurl();

// A request's handle with what holds for every request: certificates are checked, only http and https,
// redirections are not followed, no signals, and proxies from the environment as with the program curl. Null
// when there is no memory. The caller owns it (curl_easy_cleanup).
CURL* MakeCurl();
// Sets the same on a handle that is used again, after curl_easy_reset.
void SetUpCurl(CURL* easy);

// Sets the address and the most time that the request may take. `error` has CURL_ERROR_SIZE bytes and
// outlives the request.
void AimCurl(CURL* easy, const std::string& url, absl::Duration timeout, char* error);

// Why there is no answer: Unavailable (no connection or TLS handshake, or it broke), DeadlineExceeded (the
// server had the request and was too slow), Cancelled (a callback of the caller's ended it),
// FailedPrecondition (a bad address or certificate, or what is there does not speak HTTP).
absl::Status CurlFailure(CURL* easy, CURLcode result, const char* error);

}  // namespace lvrpo
