#include "common/tls/tls_folder.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/tls/certificate.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 20;  // of one file

absl::Status Wrong(const std::string& what) {
  return absl::FailedPreconditionError(
      absl::StrCat("--tls: ", what, " (docs/security.md, \"Certificates\")"));
}

}  // namespace

absl::StatusOr<TlsFolder> OpenTlsFolder(const std::string& path, std::optional<PeerRole> role,
                                        absl::Time now) {
  std::string folder = path;
  const std::string own(Word(role.value_or(PeerRole::kOperator)));
  if (!IsFile(JoinPath(folder, "tls.crt"))) {
    const std::vector<PeerRole>& roles = AllPeerRoles();
    const bool by_role = std::any_of(roles.begin(), roles.end(), [&](PeerRole one) {
      return IsFolder(JoinPath(path, std::string(Word(one))));
    });
    if (by_role) folder = JoinPath(folder, own);
    if (by_role && !IsFolder(folder))
      return Wrong(absl::StrCat(path, " has folders of other roles, and none named ", own));
  }
  TlsFolder found = {
      JoinPath(folder, "ca.crt"), JoinPath(folder, "tls.crt"), JoinPath(folder, "tls.key"), {}};
  std::string text[3];
  const std::string* paths[] = {&found.ca, &found.certificate, &found.key};
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<std::string> read = ReadFile(*paths[i], kMostBytes);
    if (!read.ok()) return Wrong(std::string(read.status().message()));
    text[i] = *std::move(read);
  }
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(text[1]);
  if (!facts.ok()) return Wrong(absl::StrCat(found.certificate, ": ", facts.status().message()));
  if (absl::Status key = CheckKey(text[2], text[1]); !key.ok())
    return Wrong(absl::StrCat(found.key, ": ", key.message()));
  if (absl::StatusOr<CertificateFacts> ca = ReadCertificate(text[0]); !ca.ok())
    return Wrong(absl::StrCat(found.ca, ": ", ca.status().message()));
  const absl::StatusOr<PeerIdentity> identity = PeerIdentityOf(facts->uris);
  if (!identity.ok()) return Wrong(absl::StrCat(found.certificate, ": ", identity.status().message()));
  found.identity = *identity;
  for (const TlsSide side : {TlsSide::kClient, TlsSide::kServer}) {
    const PeerVerdict verdict = JudgePeer({text[1], text[1]}, text[0], side, identity->scope, now);
    if (!verdict.accepted()) return Wrong(absl::StrCat(found.certificate, ": ", verdict.sentence));
  }
  if (role.has_value() && identity->role != *role) {
    return Wrong(absl::StrCat(found.certificate, " is for the role ", Word(identity->role),
                              ", and this process is ", Word(*role)));
  }
  return found;
}

}  // namespace lvrpo
