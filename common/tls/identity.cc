#include "common/tls/identity.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/choice.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kPrefix = "spiffe://lvrpo/";
constexpr size_t kMostOfScope = 63;  // characters: a Kubernetes namespace has as many
constexpr size_t kMostShown = 200;   // of what somebody else wrote
constexpr Choice<PeerRole> kRoles[] = {
    {"coordinator", PeerRole::kCoordinator}, {"learner", PeerRole::kLearner},
    {"rollout", PeerRole::kRollout},         {"reward", PeerRole::kReward},
    {"evaluation", PeerRole::kEvaluation},   {"operator", PeerRole::kOperator},
    {"scaler", PeerRole::kScaler},
};

}  // namespace

const std::vector<PeerRole>& AllPeerRoles() {
  static const auto* roles = [] {
    auto* all = new std::vector<PeerRole>();
    for (const auto& choice : kRoles) all->push_back(choice.value);
    return all;
  }();
  return *roles;
}

absl::string_view Word(PeerRole role) {
  for (const auto& choice : kRoles) {
    if (choice.value == role) return choice.word;
  }
  return "unknown";
}

absl::StatusOr<PeerRole> PeerRoleOf(absl::string_view word) { return Choose(kRoles, "role", word); }

std::string PeerIdentity::Uri() const { return absl::StrCat(kPrefix, scope, "/", Word(role)); }

bool IsScope(absl::string_view scope) {
  return !scope.empty() && scope.size() <= kMostOfScope &&
         std::all_of(scope.begin(), scope.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '-';
         });
}

absl::StatusOr<PeerIdentity> PeerIdentityOf(const std::vector<std::string>& uris) {
  std::vector<std::string> ours;
  for (const std::string& uri : uris) {
    if (absl::StartsWith(uri, kPrefix)) ours.push_back(uri);
  }
  if (ours.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("it has ", ours.empty() ? "no" : "several", " URI name",
                                                   ours.empty() ? "" : "s", " ", kPrefix, "SCOPE/ROLE"));
  }
  const std::string shown = OneLine(ours[0], kMostShown);
  const std::vector<std::string> parts = absl::StrSplit(ours[0].substr(kPrefix.size()), '/');
  if (parts.size() != 2 || !IsScope(parts[0]))
    return absl::InvalidArgumentError(
        absl::StrCat("its URI name ", shown, " is not ", kPrefix, "SCOPE/ROLE"));
  const absl::StatusOr<PeerRole> role = PeerRoleOf(parts[1]);
  if (!role.ok())
    return absl::InvalidArgumentError(absl::StrCat("its URI name ", shown, " has a role that is not known"));
  return PeerIdentity{parts[0], *role};
}

}  // namespace lvrpo
