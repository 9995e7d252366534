#include "tests/testing/fake_s3.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/hash.h"
#include "openssl/evp.h"
#include "openssl/hmac.h"

namespace lvrpo {
namespace {

// Requests to this machine's own servers must not use a proxy.
[[maybe_unused]] const int no_proxy = setenv("no_proxy", "127.0.0.1", 1);

constexpr char kBucketPath[] = "/bucket";

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
std::string Signature(const std::string& canonical, const std::string& time, const std::string& scope) {
  const std::vector<std::string> parts = absl::StrSplit(scope, '/');
  std::string key = absl::StrCat("AWS4", FakeS3::kSecretKey);
  for (const std::string& part : parts) key = Hmac(key, part);
  return absl::BytesToHexString(
      Hmac(key, absl::StrJoin({std::string("AWS4-HMAC-SHA256"), time, scope, Sha256Hex(canonical)}, "\n")));
}

std::string Decoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

std::map<std::string, std::string> Parameters(const std::string& query) {
  std::map<std::string, std::string> parameters;
  for (const absl::string_view part : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    parameters[Decoded(pair[0])] = pair.size() > 1 ? Decoded(pair[1]) : "";
  }
  return parameters;
}

std::string ErrorXml(const std::string& code) {
  return absl::StrCat("<?xml version=\"1.0\"?><Error><Code>", code, "</Code><Message>the fake says so",
                      "</Message><AWSAccessKeyId>", FakeS3::kAccessKey, "</AWSAccessKeyId></Error>");
}

std::string AssumedRoleXml() {
  return absl::StrCat(
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>",
      FakeS3::kToken, "</SessionToken><SecretAccessKey>", FakeS3::kSecretKey,
      "</SecretAccessKey><Expiration>2030-01-01T00:00:00Z</Expiration><AccessKeyId>", FakeS3::kAccessKey,
      "</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>");
}

bool SendAll(int connection, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

FakeS3::FakeS3() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(where);
  if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0 || listen(fd_, 64) != 0 ||
      getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
    std::abort();
  }
  url_ = absl::StrCat("http://127.0.0.1:", ntohs(where.sin_port));
  accepting_ = std::thread([this] { Accept(); });
}

FakeS3::~FakeS3() {
  Release();
  shutdown(fd_, SHUT_RDWR);  // wakes the thread
  accepting_.join();
  std::vector<std::thread> connections;
  {
    absl::MutexLock lock(&mutex_);
    for (const int connection : open_) shutdown(connection, SHUT_RDWR);
    connections.swap(connections_);
  }
  for (std::thread& connection : connections) connection.join();
  close(fd_);
}

void FakeS3::Fail(Fault fault) {
  absl::MutexLock lock(&mutex_);
  if (fault.kind == Kind::kHold) released_ = false;
  faults_.push_back(std::move(fault));
}

void FakeS3::Release() {
  absl::MutexLock lock(&mutex_);
  released_ = true;
}

bool FakeS3::AwaitHeld(int count, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return held_ >= count; };
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), timeout);
}

void FakeS3::WantToken(bool want) {
  absl::MutexLock lock(&mutex_);
  want_token_ = want;
}

void FakeS3::SetPageSize(int objects) {
  absl::MutexLock lock(&mutex_);
  page_size_ = objects;
}

std::map<std::string, std::string> FakeS3::objects() const {
  absl::MutexLock lock(&mutex_);
  return objects_;
}

void FakeS3::Put(const std::string& key, const std::string& bytes) {
  absl::MutexLock lock(&mutex_);
  objects_[key] = bytes;
}

size_t FakeS3::open_uploads() const {
  absl::MutexLock lock(&mutex_);
  return uploads_.size();
}

std::vector<std::string> FakeS3::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

int FakeS3::Count(const std::string& method, const std::string& path) const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(std::count_if(requests_.begin(), requests_.end(), [&](const std::string& one) {
    return absl::StartsWith(one, method + " ") && absl::StrContains(one, path);
  }));
}

void FakeS3::Accept() {
  while (true) {
    const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    absl::MutexLock lock(&mutex_);
    open_.push_back(connection);
    connections_.emplace_back([this, connection] {
      Serve(connection);
      absl::MutexLock closing(&mutex_);
      open_.erase(std::find(open_.begin(), open_.end(), connection));
      close(connection);
    });
  }
}

void FakeS3::Serve(int connection) {
  std::string buffered;
  Request request;
  while (Read(connection, &buffered, &request) && Respond(connection, std::move(request))) request = {};
}

bool FakeS3::Read(int connection, std::string* buffered, Request* request) {
  const auto more = [&] {
    char buffer[65536];
    const ssize_t got = recv(connection, buffer, sizeof(buffer), 0);
    if (got > 0) buffered->append(buffer, static_cast<size_t>(got));
    return got > 0;
  };
  size_t end;
  while ((end = buffered->find("\r\n\r\n")) == std::string::npos) {
    if (!more() || !absl::ascii_isupper(static_cast<unsigned char>(buffered->front()))) return false;
  }
  const std::vector<std::string> lines = absl::StrSplit(buffered->substr(0, end), "\r\n");
  const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  const std::vector<std::string> target = absl::StrSplit(first.at(1), absl::MaxSplits('?', 1));
  request->method = first[0];
  request->path = target[0];
  request->query = target.size() > 1 ? target[1] : "";
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> pair = absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    if (pair.size() == 2)
      request->headers[absl::AsciiStrToLower(pair[0])] = std::string(absl::StripAsciiWhitespace(pair[1]));
  }
  size_t length = 0;
  (void)absl::SimpleAtoi(request->headers["content-length"], &length);
  buffered->erase(0, end + 4);
  while (buffered->size() < length) {
    if (!more()) return false;
  }
  request->body = buffered->substr(0, length);
  buffered->erase(0, length);
  return true;
}

std::list<FakeS3::Fault>::iterator FakeS3::FaultOf(const Request& request) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    const bool meant = (fault->method.empty() || fault->method == request.method) &&
                       absl::StrContains(request.path + "?" + request.query, fault->path);
    if (!meant || fault->times == 0) continue;
    if (fault->after > 0) {
      --fault->after;
      continue;
    }
    --fault->times;
    return fault;
  }
  return faults_.end();
}

bool FakeS3::Respond(int connection, Request request) {
  Answer answer;
  bool keep = true;
  size_t sent = std::string::npos;
  {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(
        absl::StrCat(request.method, " ", request.path, request.query.empty() ? "" : "?", request.query));
    const auto fault = FaultOf(request);
    const Fault met = fault == faults_.end() ? Fault{.kind = Kind::kAnswer, .times = -1} : *fault;
    if (met.kind == Kind::kHold) {
      ++held_;
      mutex_.Await(absl::Condition(&released_));
    }
    if (met.kind == Kind::kDamageBody && !request.body.empty()) request.body.back() ^= 1;
    if (met.kind == Kind::kAnswer && fault != faults_.end()) {
      answer = {.code = met.code, .body = ErrorXml(met.name)};
      if (met.retry_after > 0) answer.headers = absl::StrCat("Retry-After: ", met.retry_after, "\r\n");
    } else {
      const bool sts = request.method == "POST" && request.path == "/";
      answer = sts ? Answer{.body = AssumedRoleXml()} : Check(request);
      if (!sts && answer.code == 200) answer = Handle(request);
    }
    if (met.kind == Kind::kDamageAnswer && !answer.body.empty()) answer.body.back() ^= 1;
    if (met.kind == Kind::kCutAnswer) sent = answer.body.size() / 2;
    if (met.kind == Kind::kLoseAnswer) return false;
    keep = met.kind != Kind::kCutAnswer;
  }
  const std::string length =
      answer.head_length.empty() ? absl::StrCat(answer.body.size()) : answer.head_length;
  const std::string body = request.method == "HEAD" ? "" : answer.body.substr(0, sent);
  return SendAll(connection, absl::StrCat("HTTP/1.1 ", answer.code, " Said\r\n", answer.headers,
                                          "Content-Length: ", length, "\r\n\r\n", body)) &&
         keep;
}

FakeS3::Answer FakeS3::Check(const Request& request) const {
  const auto header = [&](const std::string& name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  const std::string authorization = header("authorization"), hash = header("x-amz-content-sha256");
  const auto part = [&](const std::string& name) {
    const size_t at = authorization.find(name + "=");
    if (at == std::string::npos) return std::string();
    const size_t from = at + name.size() + 1;
    return authorization.substr(from, authorization.find_first_of(", ", from) - from);
  };
  const std::vector<std::string> credential = absl::StrSplit(part("Credential"), absl::MaxSplits('/', 1));
  if (credential.size() != 2 || credential[0] != kAccessKey)
    return {.code = 403, .body = ErrorXml("InvalidAccessKeyId")};
  if (want_token_ != (header("x-amz-security-token") == kToken))
    return {.code = 400, .body = ErrorXml("ExpiredToken")};
  const std::string signed_names = part("SignedHeaders");
  std::string headers;
  for (const absl::string_view name : absl::StrSplit(signed_names, ';'))
    absl::StrAppend(&headers, name, ":", header(std::string(name)), "\n");
  for (const char* name : {"host", "x-amz-content-sha256", "x-amz-date"}) {
    if (!absl::StrContains(absl::StrCat(";", signed_names, ";"), absl::StrCat(";", name, ";")))
      return {.code = 403, .body = ErrorXml("AccessDenied")};
  }
  std::vector<std::string> query = absl::StrSplit(request.query, '&');
  std::sort(query.begin(), query.end());
  const std::string canonical = absl::StrJoin(
      {request.method, request.path, absl::StrJoin(query, "&"), headers, signed_names, hash}, "\n");
  const std::string scope = credential[1];
  if (!absl::StrContains(scope, absl::StrCat("/", kRegion, "/s3/aws4_request")) ||
      part("Signature") != Signature(canonical, header("x-amz-date"), scope))
    return {.code = 403, .body = ErrorXml("SignatureDoesNotMatch")};
  if (hash != Sha256Hex(request.body)) return {.code = 400, .body = ErrorXml("XAmzContentSHA256Mismatch")};
  return {};
}

FakeS3::Answer FakeS3::Handle(const Request& request) {
  if (request.path != kBucketPath && !absl::StartsWith(request.path, absl::StrCat(kBucketPath, "/")))
    return {.code = 404, .body = ErrorXml("NoSuchBucket")};
  const std::string key = Decoded(absl::StripPrefix(absl::StripPrefix(request.path, kBucketPath), "/"));
  const std::map<std::string, std::string> query = Parameters(request.query);
  if (key.empty()) return List(request);
  if (query.contains("uploads") || query.contains("uploadId")) return HandleUpload(request, key);
  return HandleObject(request, key);
}

FakeS3::Answer FakeS3::HandleObject(const Request& request, const std::string& key) {
  const auto found = objects_.find(key);
  if (request.method == "PUT") {
    if (request.headers.contains("if-none-match") && found != objects_.end())
      return {.code = 412, .body = ErrorXml("PreconditionFailed")};
    objects_[key] = request.body;
    return {.headers = absl::StrCat("ETag: \"", Sha256Hex(request.body).substr(0, 32), "\"\r\n")};
  }
  if (request.method == "DELETE") {
    objects_.erase(key);
    return {.code = 204};
  }
  if (found == objects_.end()) return {.code = 404, .body = ErrorXml("NoSuchKey")};
  if (request.method == "HEAD") return {.head_length = absl::StrCat(found->second.size())};
  const auto range = request.headers.find("range");
  if (range == request.headers.end()) return {.body = found->second};
  const std::vector<std::string> ends = absl::StrSplit(absl::StripPrefix(range->second, "bytes="), '-');
  size_t first = 0, last = 0;
  if (ends.size() != 2 || !absl::SimpleAtoi(ends[0], &first) || !absl::SimpleAtoi(ends[1], &last) ||
      first >= found->second.size())
    return {.code = 416, .body = ErrorXml("InvalidRange")};
  return {.code = 206, .body = found->second.substr(first, last - first + 1)};
}

FakeS3::Answer FakeS3::HandleUpload(const Request& request, const std::string& key) {
  std::map<std::string, std::string> query = Parameters(request.query);
  if (query.contains("uploads")) {
    const std::string id = absl::StrCat("upload/", next_upload_++, "+");
    uploads_[id].key = key;
    return {.body = absl::StrCat("<InitiateMultipartUploadResult><UploadId>", id,
                                 "</UploadId></InitiateMultipartUploadResult>")};
  }
  const auto upload = uploads_.find(query["uploadId"]);
  if (upload == uploads_.end() || upload->second.key != key)
    return {.code = 404, .body = ErrorXml("NoSuchUpload")};
  if (request.method == "DELETE") {
    uploads_.erase(upload);
    return {.code = 204};
  }
  if (request.method == "PUT") {
    int number = 0;
    (void)absl::SimpleAtoi(query["partNumber"], &number);
    upload->second.parts[number] = request.body;
    return {.headers = absl::StrCat("ETag: \"part-", number, "\"\r\n")};
  }
  std::string whole, wanted = "<CompleteMultipartUpload>";
  for (const auto& [number, bytes] : upload->second.parts) {
    whole += bytes;
    absl::StrAppend(&wanted, "<Part><PartNumber>", number, "</PartNumber><ETag>\"part-", number,
                    "\"</ETag></Part>");
  }
  if (request.body != wanted + "</CompleteMultipartUpload>")
    return {.code = 400, .body = ErrorXml("InvalidPartOrder")};
  objects_[key] = whole;
  uploads_.erase(upload);
  return {.body = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>"};
}

FakeS3::Answer FakeS3::List(const Request& request) const {
  std::map<std::string, std::string> query = Parameters(request.query);
  const std::string prefix = query["prefix"], from = query["continuation-token"];
  if (query.contains("uploads")) {
    std::string xml = "<ListMultipartUploadsResult>";
    for (const auto& [id, upload] : uploads_) {
      if (absl::StartsWith(upload.key, prefix))
        absl::StrAppend(&xml, "<Upload><Key>", upload.key, "</Key><UploadId>", id, "</UploadId></Upload>");
    }
    return {.body = xml + "</ListMultipartUploadsResult>"};
  }
  std::string xml = "<?xml version=\"1.0\"?><ListBucketResult>", next;
  int listed = 0;
  for (auto object = objects_.lower_bound(std::max(prefix, from)); object != objects_.end(); ++object) {
    if (!absl::StartsWith(object->first, prefix)) break;
    if (listed++ == page_size_) {
      next = object->first;
      break;
    }
    absl::StrAppend(&xml, "<Contents><Key>", object->first, "</Key><Size>", object->second.size(),
                    "</Size></Contents>");
  }
  if (!next.empty())
    absl::StrAppend(&xml, "<IsTruncated>true</IsTruncated><NextContinuationToken>", next,
                    "</NextContinuationToken>");
  return {.body = xml + "</ListBucketResult>"};
}

}  // namespace lvrpo
