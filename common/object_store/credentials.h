#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/object_store/signed_http.h"

namespace lvrpo {

// Where the keys of an object store come from. The first of these that is set up is used, and no other:
//   1. `profile`, when one is named: that profile of the shared credentials file
//   2. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with AWS_SESSION_TOKEN for temporary keys
//   3. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (with AWS_ROLE_SESSION_NAME): temporary keys of
//      AssumeRoleWithWebIdentity, from AWS_ENDPOINT_URL_STS or Amazon's service of the region; kept until 5
//      minutes before they end
//   4. the profile AWS_PROFILE, or "default", of the shared credentials file
// That file is AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials. Thread-safe.
class CredentialSource {
 public:
  struct Options {
    std::string profile = {};  // empty: none is named
    std::string region;
    bool allow_plain_http = false;  // of the token service on another machine
    // The environment: "" for what is not set.
    std::function<std::string(const char* name)> variable;
    Clock* clock = &RealClock();
  };
  // `http` reaches the token service, and must outlive it.
  CredentialSource(Options options, SignedHttp& http);

  // FailedPrecondition: there are none, or they are incomplete; the sentence says where they were looked for.
  // Unavailable, DeadlineExceeded: the token service cannot be reached, or fails.
  absl::StatusOr<S3Credentials> Get();
  // The server says that they have expired: they are read or asked for anew.
  void Forget();

 private:
  struct Kept {
    S3Credentials credentials;
    absl::Time until;
  };
  absl::StatusOr<Kept> Find() const;
  absl::StatusOr<Kept> OfProfile(const std::string& profile) const;
  absl::StatusOr<Kept> OfWebIdentity(const std::string& token_file, const std::string& role) const;

  const Options options_;
  SignedHttp& http_;
  absl::Mutex mutex_;
  std::optional<Kept> kept_ ABSL_GUARDED_BY(mutex_);
};

// A variable of this process's environment; "" when it is not set.
std::string EnvironmentVariable(const char* name);

}  // namespace lvrpo
