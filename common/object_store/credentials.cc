#include "common/object_store/credentials.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/http/excerpt.h"
#include "common/object_store/credentials_file.h"
#include "common/object_store/s3_address.h"
#include "common/object_store/s3_verdict.h"
#include "common/object_store/s3_xml.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kBeforeTheEnd = absl::Minutes(5);
constexpr absl::Duration kFileLife = absl::Minutes(1);  // a file may be replaced under a running process
constexpr int64_t kMostFile = 1 << 20;                  // bytes

absl::Status StsFailure(const SignedAnswer& answer, const std::string& token) {
  const S3Error error = ReadS3Error(answer.body);
  const S3Verdict verdict = JudgeS3Answer(answer.code, error.code);
  const std::string words = Excerpt(absl::StrCat(error.code, " ", error.message), {token});
  return absl::Status(
      verdict.code == absl::StatusCode::kUnavailable ? verdict.code : absl::StatusCode::kFailedPrecondition,
      absl::StrCat("the token service answered ", answer.code, words.empty() ? "" : ": ", words));
}

}  // namespace

CredentialSource::CredentialSource(Options options, SignedHttp& http)
    : options_(std::move(options)), http_(http) {}

absl::StatusOr<S3Credentials> CredentialSource::Get() {
  absl::MutexLock lock(&mutex_);
  if (!kept_.has_value() || options_.clock->Now() >= kept_->until) {
    absl::StatusOr<Kept> found = Find();
    if (!found.ok()) return found.status();
    kept_ = *std::move(found);
  }
  return kept_->credentials;
}

void CredentialSource::Forget() {
  absl::MutexLock lock(&mutex_);
  kept_.reset();
}

absl::StatusOr<CredentialSource::Kept> CredentialSource::Find() const {
  const auto& variable = options_.variable;
  if (!options_.profile.empty()) return OfProfile(options_.profile);
  S3Credentials given = {.access_key = variable("AWS_ACCESS_KEY_ID"),
                         .secret_key = variable("AWS_SECRET_ACCESS_KEY"),
                         .session_token = variable("AWS_SESSION_TOKEN")};
  if (!given.access_key.empty() && !given.secret_key.empty())
    return Kept{.credentials = std::move(given), .until = absl::InfiniteFuture()};
  if (given.access_key.empty() != given.secret_key.empty()) {
    return absl::FailedPreconditionError(
        "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: set both, or none");
  }
  const std::string token_file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), role = variable("AWS_ROLE_ARN");
  if (!token_file.empty() && !role.empty()) return OfWebIdentity(token_file, role);
  const std::string profile = variable("AWS_PROFILE");
  return OfProfile(profile.empty() ? "default" : profile);
}

absl::StatusOr<CredentialSource::Kept> CredentialSource::OfProfile(const std::string& profile) const {
  std::string path = options_.variable("AWS_SHARED_CREDENTIALS_FILE");
  if (path.empty()) path = absl::StrCat(options_.variable("HOME"), "/.aws/credentials");
  const absl::StatusOr<std::string> file = ReadFile(path, kMostFile);
  std::optional<S3Credentials> found;
  if (file.ok()) found = ReadProfile(*file, profile);
  if (!found.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor AWS_WEB_IDENTITY_TOKEN_FILE "
        "and AWS_ROLE_ARN are ",
        options_.profile.empty() ? "set" : "used with a profile", ", and ",
        file.ok() ? absl::StrCat(path, " has no keys for the profile '", OneLine(profile), "'")
                  : std::string(file.status().message())));
  }
  return Kept{.credentials = *std::move(found), .until = options_.clock->Now() + kFileLife};
}

absl::StatusOr<CredentialSource::Kept> CredentialSource::OfWebIdentity(const std::string& token_file,
                                                                       const std::string& role) const {
  const absl::StatusOr<std::string> file = ReadFile(token_file, kMostFile);
  if (!file.ok()) return absl::FailedPreconditionError(file.status().message());
  const std::string token(absl::StripAsciiWhitespace(*file));
  const S3Server service = {.endpoint = options_.variable("AWS_ENDPOINT_URL_STS"),
                            .region = options_.region,
                            .allow_plain_http = options_.allow_plain_http,
                            .ca_file = ""};
  if (absl::Status status = CheckS3Server(service); !status.ok())
    return absl::FailedPreconditionError(absl::StrCat("AWS_ENDPOINT_URL_STS: ", status.message()));
  std::string session = options_.variable("AWS_ROLE_SESSION_NAME");
  if (session.empty()) session = "lvrpo";
  const std::string form = S3QueryText({{"Action", "AssumeRoleWithWebIdentity"},
                                        {"Version", "2011-06-15"},
                                        {"RoleArn", role},
                                        {"RoleSessionName", session},
                                        {"WebIdentityToken", token}});
  const std::string url = service.endpoint.empty()
                              ? absl::StrCat("https://sts.", options_.region, ".amazonaws.com/")
                              : service.endpoint;
  const absl::StatusOr<SignedAnswer> answer =
      http_.Send({.method = "POST",
                  .url = url,
                  .headers = {"Content-Type: application/x-www-form-urlencoded"},
                  .body = form},
                 nullptr);
  if (!answer.ok())
    return absl::Status(answer.status().code(),
                        absl::StrCat("the token service: ", answer.status().message()));
  if (answer->code != 200) return StsFailure(*answer, token);
  absl::StatusOr<AssumedRole> keys = ReadAssumedRole(answer->body);
  if (!keys.ok())
    return absl::Status(keys.status().code(), absl::StrCat("the token service: ", keys.status().message()));
  return Kept{.credentials = {.access_key = std::move(keys->access_key),
                              .secret_key = std::move(keys->secret_key),
                              .session_token = std::move(keys->session_token)},
              .until = keys->expires - kBeforeTheEnd};
}

std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace lvrpo
