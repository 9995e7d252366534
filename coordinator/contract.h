#pragma once

#include <map>
#include <string>

#include "coordinator/records/store.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

// What the members of a run have to agree on, by name (the schedule, the tokenizer, the base weights, the
// prompts, ...) with a digest each. The first learner that starts training settles what it names, the first
// worker that leases a group what workers name as well; from then on it stands in the run's records, and
// whoever brings something else is refused, however long after. Pure; not thread-safe.
class RunContract {
 public:
  using Terms = std::map<std::string, std::string>;

  void Restore(std::map<std::string, ContractEntry> entries) { settled_ = std::move(entries); }
  // Why a member with these terms cannot take part: what it must name and does not, or what differs from the
  // records. Empty when it can. A learner names what learners settled, a worker that and what workers
  // settled.
  std::string Conflict(const std::string& member, v1::Role role, const Terms& terms) const;
  // What of a member's terms is not settled yet. "CPU product" never is (policy/contract.h).
  std::map<std::string, ContractEntry> Unsettled(v1::Role role, const Terms& terms) const;
  void Settle(const std::map<std::string, ContractEntry>& entries) {
    settled_.insert(entries.begin(), entries.end());
  }

 private:
  std::map<std::string, ContractEntry> settled_;
};

// The same for two members that are here: why a worker cannot work with this learner.
std::string ContractConflict(const std::string& worker, const RunContract::Terms& terms,
                             const std::string& learner, const RunContract::Terms& learner_terms);

}  // namespace lvrpo
