#include "cli/doctor/certificates.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/tls/certificate.h"
#include "common/tls/tls_folder.h"

namespace lvrpo {
namespace {

constexpr char kName[] = "certificate";
constexpr absl::Duration kSoon = absl::Hours(24);
constexpr int64_t kMostFileBytes = int64_t{1} << 20;

Check Wrong(const absl::Status& status) {
  return Failure(
      kName, std::string(status.message()),
      "mount a TLS secret with ca.crt, tls.crt and tls.key there, readable for this user; make one with "
      "`lvrpo certs`, or look at the cert-manager Certificate's status");
}

}  // namespace

std::vector<Check> CheckCertificates(const std::string& path, const std::string& role, absl::Time now) {
  std::optional<PeerRole> own;
  if (!role.empty()) {
    const absl::StatusOr<PeerRole> named = PeerRoleOf(role);
    if (!named.ok()) return {Wrong(named.status())};
    own = *named;
  }
  const absl::StatusOr<TlsFolder> folder = OpenTlsFolder(path, own, now);
  if (!folder.ok()) return {Wrong(folder.status())};
  const absl::StatusOr<std::string> text = ReadFile(folder->certificate, kMostFileBytes);
  if (!text.ok()) return {Wrong(text.status())};
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(*text);
  if (!facts.ok()) return {Wrong(facts.status())};
  const std::string until =
      absl::FormatTime("valid until %Y-%m-%d %H:%M UTC", facts->not_after, absl::UTCTimeZone());
  return {facts->not_after - now < kSoon
              ? Warning(kName, until, "see that it is renewed: a run goes on with renewed files")
              : Ok(kName, until),
          Ok("certificate role", folder->identity.Uri())};
}

}  // namespace lvrpo
