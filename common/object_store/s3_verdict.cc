#include "common/object_store/s3_verdict.h"

#include <algorithm>
#include <iterator>

namespace lvrpo {
namespace {

using Code = absl::StatusCode;

struct NamedVerdict {
  absl::string_view name;
  S3Verdict verdict;
};

// Names that decide more than their HTTP code does.
constexpr NamedVerdict kByName[] = {
    {"SlowDown", {Code::kUnavailable, true}},
    {"Throttling", {Code::kUnavailable, true}},
    {"ThrottlingException", {Code::kUnavailable, true}},
    {"TooManyRequests", {Code::kUnavailable, true}},
    {"RequestLimitExceeded", {Code::kUnavailable, true}},
    {"InternalError", {Code::kUnavailable, true}},
    {"ServiceUnavailable", {Code::kUnavailable, true}},
    {"IDPCommunicationError", {Code::kUnavailable, true}},
    {"RequestTimeout", {Code::kUnavailable, true}},              // 400: the body came too slowly
    {"OperationAborted", {Code::kUnavailable, true}},            // 409: another write of the key is going on
    {"ConditionalRequestConflict", {Code::kUnavailable, true}},  // 409: the same, with If-None-Match
    {"BadDigest", {Code::kDataLoss, true}},
    {"XAmzContentSHA256Mismatch", {Code::kDataLoss, true}},
    {"IncompleteBody", {Code::kDataLoss, true}},
    {"ExpiredToken", {Code::kFailedPrecondition, true, true}},
    {"TokenRefreshRequired", {Code::kFailedPrecondition, true, true}},
    {"NoSuchKey", {Code::kNotFound}},
    {"NoSuchUpload", {Code::kNotFound}},
    {"NoSuchBucket", {Code::kFailedPrecondition}},
    {"PreconditionFailed", {Code::kAlreadyExists}},
    {"QuotaExceeded", {Code::kResourceExhausted}},
};

S3Verdict ByNumber(int code) {
  if (code >= 200 && code < 300) return {};
  switch (code) {
    case 404:
      return {Code::kNotFound};
    case 412:
      return {Code::kAlreadyExists};
    case 416:
      return {Code::kDataLoss};
    case 507:
      return {Code::kResourceExhausted};
    case 408:
    case 409:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 520:  // gateways: the server behind is down or failing
    case 521:
    case 522:
    case 523:
    case 524:
    case 529:
      return {Code::kUnavailable, true};
    default:
      return {Code::kFailedPrecondition};
  }
}

}  // namespace

S3Verdict JudgeS3Answer(int http_code, absl::string_view error_code) {
  const auto* named = std::find_if(std::begin(kByName), std::end(kByName),
                                   [&](const NamedVerdict& entry) { return entry.name == error_code; });
  if (named != std::end(kByName)) return named->verdict;
  if (http_code >= 200 && http_code < 300 && !error_code.empty()) return {Code::kFailedPrecondition};
  return ByNumber(http_code);
}

}  // namespace lvrpo
