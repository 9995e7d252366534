#include "common/object_store/s3_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/file_kind.h"
#include "common/hash.h"
#include "common/http/excerpt.h"
#include "common/object_store/s3_verdict.h"

namespace lvrpo {
namespace {

constexpr size_t kMostObjects = 100000;
constexpr size_t kMostEtag = 1024;  // bytes

// Advice where the server's own words give none.
std::string Advice(int code, const std::string& name, const SignedAnswer& answer) {
  const auto region = answer.headers.find("x-amz-bucket-region");
  if (code >= 300 && code < 400) {
    return absl::StrCat(": redirections are not followed, give the bucket's own endpoint and region",
                        region == answer.headers.end() ? "" : ", which is ",
                        region == answer.headers.end() ? "" : OneLine(region->second));
  }
  if (name == "RequestTimeTooSkewed") return ": set this machine's clock";
  if (name == "SignatureDoesNotMatch") return ": the secret key or the region is wrong";
  if (code == 401 || code == 403) return ": it wants other keys, or these may not do that";
  if (code == 501) return ": it does not support this";
  return "";
}

}  // namespace

S3Client::S3Client(Options options)
    : options_(std::move(options)),
      http_({.region = options_.server.region,
             .ca_file = options_.server.ca_file,
             .silence = options_.silence,
             .stop = options_.stop}),
      credentials_({.profile = options_.profile,
                    .region = options_.server.region,
                    .allow_plain_http = options_.server.allow_plain_http,
                    .variable = options_.variable,
                    .clock = options_.waiting.clock},
                   http_) {}

absl::Status S3Client::Explained(const Request& request, const absl::Status& status) const {
  return absl::Status(status.code(), absl::StrCat(request.method, " s3://", options_.bucket, "/",
                                                  OneLine(request.key, 200), ": ", status.message()));
}

S3Client::Try S3Client::Judge(const Request& request, SignedAnswer answer, const S3Credentials& credentials) {
  const bool good = answer.code >= 200 && answer.code < 300;
  const S3Error error = good && !request.error_in_success ? S3Error() : ReadS3Error(answer.body);
  const S3Verdict verdict = JudgeS3Answer(answer.code, error.code);
  if (verdict.code == absl::StatusCode::kOk) return {.answer = std::move(answer)};
  if (verdict.new_credentials) credentials_.Forget();
  const std::string words =
      Excerpt(absl::StrCat(error.code, " ", error.message),
              {credentials.secret_key, credentials.session_token, credentials.access_key});
  return {
      .answer = absl::Status(
          verdict.code, absl::StrCat("the store answered ", answer.code, words.empty() ? "" : " ",
                                     absl::StripSuffix(words, "."), Advice(answer.code, error.code, answer))),
      .retry = verdict.retry,
      .asked = answer.retry_after};
}

S3Client::Try S3Client::SendOnce(const Request& request) {
  const absl::StatusOr<S3Credentials> credentials = credentials_.Get();
  if (!credentials.ok()) {
    const absl::Status& status = credentials.status();
    return {.answer = status, .retry = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)};
  }
  absl::StatusOr<SignedAnswer> answer =
      http_.Send({.method = request.method,
                  .url = S3Url(options_.server, options_.bucket, request.key, request.query),
                  .headers = request.headers,
                  .body = request.body,
                  .most_bytes = request.most_bytes},
                 &*credentials);
  if (answer.ok()) return Judge(request, *std::move(answer), *credentials);
  const bool retry = absl::IsUnavailable(answer.status()) || absl::IsDeadlineExceeded(answer.status());
  return {.answer = answer.status(), .retry = retry};
}

absl::StatusOr<SignedAnswer> S3Client::Send(const Request& request) {
  const uint64_t seed = StableHash64(absl::StrCat(request.method, request.key));
  for (int tries = 1;; ++tries) {
    Try once = SendOnce(request);
    if (once.answer.ok()) return std::move(once.answer);
    const bool over = tries > options_.retry.retries || once.asked > options_.retry.longest_wait;
    if (!once.retry || over) return Explained(request, once.answer.status());
    options_.waiting.sleep(NextWait(options_.retry, tries, once.asked, seed));
  }
}

absl::Status S3Client::Put(const std::string& key, absl::string_view bytes, bool only_new) {
  Request request = {.method = "PUT", .key = key, .body = bytes};
  if (only_new) request.headers.push_back("If-None-Match: *");
  const absl::Status status = Send(request).status();
  if (!only_new || !absl::IsAlreadyExists(status)) return status;
  const absl::StatusOr<std::string> there = Get(key, bytes.size());
  return there.ok() && *there == bytes ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> S3Client::Get(const std::string& key, size_t most) {
  const Request request = {.method = "GET", .key = key, .most_bytes = std::max(most, kMostXml)};
  absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->body.size() > most)
    return Explained(request, absl::DataLossError(absl::StrCat("it has more than ", most, " bytes")));
  return std::move(answer->body);
}

absl::StatusOr<std::string> S3Client::GetRange(const std::string& key, int64_t first, int64_t count) {
  const Request request = {.method = "GET",
                           .key = key,
                           .headers = {absl::StrCat("Range: bytes=", first, "-", first + count - 1)},
                           .most_bytes = std::max(static_cast<size_t>(count), kMostXml)};
  absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->body.size() != static_cast<size_t>(count)) {
    return Explained(request, absl::DataLossError(absl::StrCat("the store gave ", answer->body.size(),
                                                               " bytes where ", count, " were asked for")));
  }
  return std::move(answer->body);
}

absl::StatusOr<int64_t> S3Client::Size(const std::string& key) {
  const Request request = {.method = "HEAD", .key = key};
  const absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  const auto length = answer->headers.find("content-length");
  int64_t size = 0;
  if (length == answer->headers.end() || !absl::SimpleAtoi(length->second, &size) || size < 0)
    return Explained(request, absl::DataLossError("the store does not say how large it is"));
  return size;
}

absl::StatusOr<std::vector<S3Object>> S3Client::List(const std::string& prefix) {
  std::vector<S3Object> objects;
  std::string token;
  while (true) {
    Request request = {.method = "GET", .key = "", .query = {{"list-type", "2"}, {"prefix", prefix}}};
    if (!token.empty()) request.query.push_back({"continuation-token", token});
    const absl::StatusOr<SignedAnswer> answer = Send(request);
    if (!answer.ok()) return answer.status();
    absl::StatusOr<S3Page> page = ReadS3Page(answer->body);
    if (!page.ok()) return Explained(request, page.status());
    for (S3Object& object : page->objects) {
      if (!absl::StartsWith(object.key, prefix))
        return Explained(request, absl::DataLossError("the store lists objects that were not asked for"));
      objects.push_back(std::move(object));
    }
    if (page->next.empty()) return objects;
    if (page->next == token || page->objects.empty() || objects.size() > kMostObjects)
      return Explained(request, absl::DataLossError("the store's list does not end"));
    token = page->next;
  }
}

absl::Status S3Client::Delete(const std::string& key) {
  const absl::Status status = Send({.method = "DELETE", .key = key}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> S3Client::BeginUpload(const std::string& key) {
  const Request request = {.method = "POST", .key = key, .query = {{"uploads", ""}}};
  const absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  absl::StatusOr<std::string> id = ReadS3UploadId(answer->body);
  if (!id.ok()) return Explained(request, id.status());
  return id;
}

absl::StatusOr<std::string> S3Client::PutPart(const std::string& key, const std::string& upload, int number,
                                              absl::string_view bytes) {
  const Request request = {.method = "PUT",
                           .key = key,
                           .query = {{"partNumber", absl::StrCat(number)}, {"uploadId", upload}},
                           .body = bytes};
  const absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  const auto etag = answer->headers.find("etag");
  if (etag == answer->headers.end() || etag->second.empty() || etag->second.size() > kMostEtag)
    return Explained(request, absl::DataLossError("the store gives no ETag for a part"));
  return etag->second;
}

absl::Status S3Client::CompleteUpload(const std::string& key, const std::string& upload,
                                      const std::vector<std::string>& etags, int64_t size) {
  const std::string xml = S3CompletionXml(etags);
  const absl::Status status = Send({.method = "POST",
                                    .key = key,
                                    .query = {{"uploadId", upload}},
                                    .headers = {"Content-Type: application/xml"},
                                    .body = xml,
                                    .error_in_success = true})
                                  .status();
  if (!absl::IsNotFound(status)) return status;
  const absl::StatusOr<int64_t> there = Size(key);
  return there.ok() && *there == size ? absl::OkStatus() : status;
}

absl::Status S3Client::AbortUpload(const std::string& key, const std::string& upload) {
  const absl::Status status =
      Send({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<S3Upload>> S3Client::Uploads(const std::string& prefix) {
  const Request request = {.method = "GET", .key = "", .query = {{"uploads", ""}, {"prefix", prefix}}};
  const absl::StatusOr<SignedAnswer> answer = Send(request);
  if (!answer.ok()) return answer.status();
  absl::StatusOr<std::vector<S3Upload>> uploads = ReadS3Uploads(answer->body);
  if (!uploads.ok()) return Explained(request, uploads.status());
  return uploads;
}

}  // namespace lvrpo
