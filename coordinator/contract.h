#pragma once

#include <map>
#include <string>

#include "coordinator/records/store.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

// The terms that the members of a run must agree on, a digest per name (the schedule, the tokenizer, the base
// weights, the prompts, ...). The first learner that starts training fixes the terms it names, the first
// worker that leases a group the other terms of workers; they are recorded, and members with other terms are
// refused from then on. Pure; not thread-safe.
class RunContract {
 public:
  using Terms = std::map<std::string, std::string>;

  void Restore(std::map<std::string, ContractEntry> entries) { settled_ = std::move(entries); }
  // Why a member with these terms cannot take part: a missing term, or one that differs from the records.
  // Empty when it can. A learner must name the terms that learners fixed, a worker also those that workers
  // fixed.
  std::string Conflict(const std::string& member, v1::Role role, const Terms& terms) const;
  // The member's terms that are not fixed yet. "CPU product" never is (policy/contract.h).
  std::map<std::string, ContractEntry> Unsettled(v1::Role role, const Terms& terms) const;
  void Settle(const std::map<std::string, ContractEntry>& entries) {
    settled_.insert(entries.begin(), entries.end());
  }

 private:
  std::map<std::string, ContractEntry> settled_;
};

// The same for two current members: why a worker cannot work with this learner.
std::string ContractConflict(const std::string& worker, const RunContract::Terms& terms,
                             const std::string& learner, const RunContract::Terms& learner_terms);

}  // namespace lvrpo
