#include "cli/certs_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/tls/authority.h"
#include "common/tls/certificate.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLifeOfCa = absl::Hours(24 * 3650);
constexpr absl::Duration kClockDifference = absl::Minutes(5);  // of other machines
constexpr char kScope[] = "local";

absl::Status WriteKey(const std::string& path, const std::string& pem) {
  const mode_t mask = umask(0077);
  const absl::Status status = WriteFileAtomic(path, pem);
  umask(mask);
  return status;
}

struct Authority {
  KeyAndCertificate own;
  std::string trusted;  // PEM: its certificate, and that of the CA before it
};

// Whether leaves can be made with it.
absl::Status CheckAuthority(const std::string& out, const std::string& key, const std::string& certificate,
                            absl::Time now) {
  const auto wrong = [&](const char* file, const auto&... what) {
    return absl::FailedPreconditionError(
        absl::StrCat(JoinPath(out, file), ": ", what..., " (--new-ca makes another CA in its place)"));
  };
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(certificate);
  if (!facts.ok()) return wrong("ca/ca.crt", facts.status().message());
  if (const absl::Status status = CheckKey(key, certificate); !status.ok())
    return wrong("ca/ca.key", status.message());
  if (facts->not_after <= now)
    return wrong("ca/ca.crt", "it expired on ",
                 absl::FormatTime("%Y-%m-%d", facts->not_after, absl::UTCTimeZone()));
  return absl::OkStatus();
}

// The CA of OUT, a new one, or why neither.
absl::StatusOr<Authority> TakeAuthority(const CertsOptions& options, absl::Time now) {
  const absl::StatusOr<std::string> certificate = ReadFile(JoinPath(options.out, "ca/ca.crt"));
  const absl::StatusOr<std::string> key = ReadFile(JoinPath(options.out, "ca/ca.key"));
  const bool there = certificate.ok() || key.ok();
  if (there && !options.renew && !options.new_ca) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.out, " has a CA: --renew makes new leaves of it, --new-ca another CA in its place"));
  }
  if (options.renew) {
    if (!certificate.ok()) return certificate.status();
    if (!key.ok()) return key.status();
    if (absl::Status status = CheckAuthority(options.out, *key, *certificate, now); !status.ok())
      return status;
    return Authority{{*key, *certificate}, *certificate};
  }
  absl::StatusOr<KeyAndCertificate> made =
      MakeAuthority("lvrpo development CA", now - kClockDifference, now + kLifeOfCa);
  if (!made.ok()) return made.status();
  return Authority{*made, absl::StrCat(made->certificate, certificate.ok() ? *certificate : "")};
}

absl::Status WriteAuthority(const std::string& folder, const KeyAndCertificate& authority) {
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  if (absl::Status status = WriteKey(JoinPath(folder, "ca.key"), authority.key); !status.ok()) return status;
  return WriteFileAtomic(JoinPath(folder, "ca.crt"), authority.certificate);
}

// That of the leaves which are there, or the default.
std::string ScopeIn(const std::string& out) {
  const absl::StatusOr<std::string> leaf = ReadFile(JoinPath(out, "operator/tls.crt"));
  if (!leaf.ok()) return kScope;
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(*leaf);
  if (!facts.ok()) return kScope;
  const absl::StatusOr<PeerIdentity> identity = PeerIdentityOf(facts->uris);
  return identity.ok() ? identity->scope : kScope;
}

absl::Status WriteLeaf(const std::string& folder, const std::string& trusted, const KeyAndCertificate& leaf) {
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  if (absl::Status status = WriteFileAtomic(JoinPath(folder, "ca.crt"), trusted); !status.ok()) return status;
  if (absl::Status status = WriteKey(JoinPath(folder, "tls.key"), leaf.key); !status.ok()) return status;
  return WriteFileAtomic(JoinPath(folder, "tls.crt"), leaf.certificate);
}

// Those of the leaf that is there.
std::vector<std::string> NamesIn(const std::string& out, PeerRole role) {
  const absl::StatusOr<std::string> leaf = ReadFile(JoinPath(out, absl::StrCat(Word(role), "/tls.crt")));
  if (!leaf.ok()) return {};
  const absl::StatusOr<CertificateFacts> facts = ReadCertificate(*leaf);
  return facts.ok() ? facts->names : std::vector<std::string>();
}

using Names = std::map<PeerRole, std::vector<std::string>>;

// What each role's leaf is to be called.
Names AllNames(const CertsOptions& options, Names names) {
  for (const PeerRole role : AllPeerRoles()) {
    std::vector<std::string> all = names[role];
    if (options.renew || options.new_ca) {
      for (const std::string& name : NamesIn(options.out, role))
        if (CheckLeafName(name).ok()) all.push_back(name);
    }
    all.insert(all.end(), {"localhost", "127.0.0.1", "::1"});
    std::vector<std::string>& once = names[role];
    once.clear();
    for (const std::string& name : all)
      if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
  }
  return names;
}

// One for each role; nothing is written before all are made, and accepted by who trusts the CA.
absl::StatusOr<std::map<PeerRole, KeyAndCertificate>> IssueLeaves(const KeyAndCertificate& authority,
                                                                  const std::string& scope,
                                                                  const Names& names, absl::Time now,
                                                                  absl::Time to) {
  std::map<PeerRole, KeyAndCertificate> leaves;
  for (const PeerRole role : AllPeerRoles()) {
    LeafRequest request;
    request.name = absl::StrCat("lvrpo-", Word(role));
    request.uri = PeerIdentity{scope, role}.Uri();
    request.at = names.at(role);
    request.from = now - kClockDifference;
    request.to = to;
    absl::StatusOr<KeyAndCertificate> leaf = IssueLeaf(authority, request);
    if (!leaf.ok()) return leaf.status();
    const PeerVerdict verdict = JudgePeer({leaf->certificate, leaf->certificate}, authority.certificate,
                                          TlsSide::kServer, scope, now);
    if (!verdict.accepted())
      return absl::FailedPreconditionError(
          absl::StrCat("the CA makes certificates that nobody accepts: ", verdict.sentence));
    leaves[role] = *std::move(leaf);
  }
  return leaves;
}

absl::Status Make(const CertsOptions& options, const Names& names, absl::Time now) {
  const std::string scope = options.run.empty() ? ScopeIn(options.out) : options.run;
  const absl::StatusOr<Authority> authority = TakeAuthority(options, now);
  if (!authority.ok()) return authority.status();
  const absl::StatusOr<CertificateFacts> ca = ReadCertificate(authority->own.certificate);
  if (!ca.ok()) return ca.status();
  const absl::Time ends = std::min(ca->not_after, now + absl::Hours(24) * options.days);
  const auto leaves = IssueLeaves(authority->own, scope, AllNames(options, names), now, ends);
  if (!leaves.ok()) return leaves.status();
  if (!options.renew) {
    if (absl::Status status = WriteAuthority(JoinPath(options.out, "ca"), authority->own); !status.ok())
      return status;
  }
  for (const auto& [role, leaf] : *leaves) {
    const std::string folder = JoinPath(options.out, std::string(Word(role)));
    if (absl::Status status = WriteLeaf(folder, authority->trusted, leaf); !status.ok()) return status;
  }
  std::printf("%s: certificates of '%s' for %zu roles, valid until %s\n", options.out.c_str(), scope.c_str(),
              AllPeerRoles().size(), absl::FormatTime("%Y-%m-%d", ends, absl::UTCTimeZone()).c_str());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::map<PeerRole, std::vector<std::string>>> NamesByRole(
    const std::vector<std::string>& names) {
  std::map<PeerRole, std::vector<std::string>> by_role;
  for (const std::string& text : names) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const absl::StatusOr<PeerRole> role = PeerRoleOf(parts.first);
    if (!role.ok() || parts.second.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--name '", OneLine(text),
                                                     "' is not ROLE=NAME,NAME with a role of ",
                                                     "lvrpo, as in coordinator=lvrpo.example.org,10.0.0.7"));
    }
    for (const absl::string_view name : absl::StrSplit(parts.second, ',')) {
      if (absl::Status status = CheckLeafName(std::string(name)); !status.ok())
        return absl::InvalidArgumentError(absl::StrCat("--name: ", status.message()));
      by_role[*role].emplace_back(name);
    }
  }
  return by_role;
}

absl::Status MakeCertificates(const CertsOptions& options, absl::Time now) {
  if (!options.run.empty() && !IsScope(options.run)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--run '", OneLine(options.run), "' is not 1 to 63 lower-case letters, digits, '.' and '-'"));
  }
  const auto names = NamesByRole(options.names);
  if (!names.ok()) return names.status();
  absl::Status made = Make(options, *names, now);
  // What the folder holds is no matter of the command line.
  return absl::IsInvalidArgument(made) ? absl::FailedPreconditionError(made.message()) : made;
}

}  // namespace lvrpo
