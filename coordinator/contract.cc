#include "coordinator/contract.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

// Processors' GEMMs must round alike among the current members; a run may continue on others.
constexpr char kOfMembersOnly[] = "CPU product";

bool MustName(v1::Role role, v1::Role settled_by) {
  if (role == v1::ROLE_LEARNER) return settled_by == v1::ROLE_LEARNER;
  return role == v1::ROLE_ROLLOUT_WORKER;
}

}  // namespace

std::string RunContract::Conflict(const std::string& member, v1::Role role, const Terms& terms) const {
  if (terms.empty() && role != v1::ROLE_REWARD_SERVER && role != v1::ROLE_EVALUATION)
    return absl::StrCat(member,
                        " names nothing that it works with: its program is of another kind or version");
  for (const auto& [key, entry] : settled_) {
    const auto mine = terms.find(key);
    if (mine == terms.end()) {
      if (MustName(role, entry.role)) {
        return absl::StrCat(
            member, " does not say which \"", key,
            "\" it works with, which the records of this run name: use one version of the program");
      }
    } else if (mine->second != entry.value) {
      return absl::StrCat("\"", key, "\" of ", member, " is ", mine->second.substr(0, 12),
                          ", but this run began with ", entry.value.substr(0, 12),
                          ": put back what it began with, or begin a new run");
    }
  }
  return "";
}

std::map<std::string, ContractEntry> RunContract::Unsettled(v1::Role role, const Terms& terms) const {
  std::map<std::string, ContractEntry> fresh;
  for (const auto& [key, value] : terms) {
    if (!settled_.contains(key) && !absl::StartsWith(key, kOfMembersOnly)) fresh[key] = {value, role};
  }
  return fresh;
}

std::string ContractConflict(const std::string& worker, const RunContract::Terms& terms,
                             const std::string& learner, const RunContract::Terms& learner_terms) {
  for (const auto& [key, value] : learner_terms) {
    const auto mine = terms.find(key);
    if (mine != terms.end() && mine->second == value) continue;
    return absl::StrCat(worker, " and ", learner, " disagree on \"", key,
                        "\": ", mine == terms.end() ? "nothing" : mine->second.substr(0, 12), " and ",
                        value.substr(0, 12), "; start both with the same configuration, models and prompts");
  }
  return "";
}

}  // namespace lvrpo
