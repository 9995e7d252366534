#include "reward_server/remote/http/external_tls.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/tls/certificate.h"

namespace lvrpo {
namespace {

constexpr char kVariable[] = "LVRPO_EXTERNAL_TLS";
constexpr int64_t kMostBytes = int64_t{1} << 20;

absl::Status Wrong(const std::string& path, const absl::Status& why) {
  return absl::FailedPreconditionError(absl::StrCat(kVariable, ": ", path, ": ", why.message()));
}

}  // namespace

absl::StatusOr<ExternalTls> ExternalTlsFromEnvironment() {
  const char* folder = std::getenv(kVariable);
  if (folder == nullptr || *folder == '\0') return ExternalTls();
  ExternalTls tls = {JoinPath(folder, "ca.crt"), "", ""};
  const absl::StatusOr<std::string> ca = ReadFile(tls.ca, kMostBytes);
  if (!ca.ok()) return Wrong(tls.ca, ca.status());
  if (absl::Status status = ReadCertificate(*ca).status(); !status.ok()) return Wrong(tls.ca, status);
  if (!Exists(JoinPath(folder, "tls.crt"))) return tls;
  tls.certificate = JoinPath(folder, "tls.crt");
  tls.key = JoinPath(folder, "tls.key");
  const absl::StatusOr<std::string> certificate = ReadFile(tls.certificate, kMostBytes);
  if (!certificate.ok()) return Wrong(tls.certificate, certificate.status());
  const absl::StatusOr<std::string> key = ReadFile(tls.key, kMostBytes);
  if (!key.ok()) return Wrong(tls.key, key.status());
  if (absl::Status status = CheckKey(*key, *certificate); !status.ok()) return Wrong(tls.key, status);
  return tls;
}

}  // namespace lvrpo
