// Audits steps, groups and acknowledgements.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/words/words.h"
#include "coordinator/records/audit_parts.h"
#include "coordinator/state/consequence.h"

namespace lvrpo {
namespace {

// Larger than in any run: no larger ordinal was ever planned.
constexpr int64_t kMostOrdinals = int64_t{1} << 31;

std::string Name(const v1::PolicyVersion& version) {
  return absl::StrCat("version ", version.number(), " ", version.digest().substr(0, 12));
}

}  // namespace

absl::Status RunAudit::ReadSteps() {
  Statement rows(store_.database(), "SELECT step, record FROM steps ORDER BY step");
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    CheckStep(rows.Integer(0), rows.Bytes(1));
  }
}

void RunAudit::CheckStep(int64_t row, const std::string& bytes) {
  const int64_t number = expected_step_++;
  v1::StepRecord step;
  if (!step.ParseFromString(bytes)) {
    sequence_->Broken(absl::StrCat("the record of step ", row, " is damaged"));
    chain_ = RecordDigest(bytes);
    return;
  }
  if (row != number || step.step() != number) {
    sequence_->Broken(absl::StrCat("step ", number, " is missing"));
    expected_step_ = row + 1;
  }
  if (step.new_version().number() != step.step() + 1 || step.new_version().digest().empty())
    sequence_->Broken(absl::StrCat("step ", step.step(), " made version ", step.new_version().number()));
  published_[step.new_version().number()] = step.new_version().digest();
  ever_published_.emplace(step.new_version().number(), step.new_version().digest());
  if (step.next_ordinal() < frontier_ || step.next_ordinal() > next_ordinal_)
    sequence_->Broken(absl::StrCat("step ", step.step(), " planned ", step.next_ordinal(), " ordinals"));
  frontier_ = std::max(frontier_, step.next_ordinal());

  if (step.ordinals_size() != identity_.groups_per_step)
    complete_->Broken(absl::StrCat("step ", step.step(), " has ", step.ordinals_size()));
  std::vector<int64_t> ordinals(step.ordinals().begin(), step.ordinals().end());
  std::sort(ordinals.begin(), ordinals.end());
  std::vector<std::string> records;
  for (const int64_t ordinal : ordinals) {
    if (ordinal >= step.next_ordinal())
      sequence_->Broken(
          absl::StrCat("step ", step.step(), " consumed ordinal ", ordinal, " before it was planned"));
    CheckConsumed(step, ordinal, &records);
  }
  if (step.previous_digest() != chain_) {
    chain_whole_->Broken(absl::StrCat(
        "step ", step.step(), " follows another record than ",
        step.step() == 0 ? std::string("what the run is") : absl::StrCat("that of step ", step.step() - 1)));
  }
  if (step.groups_digest() != GroupsDigest(records))
    chain_whole_->Broken(absl::StrCat("step ", step.step(), " consumed other groups than are recorded"));
  chain_ = RecordDigest(bytes);
}

void RunAudit::CheckConsumed(const v1::StepRecord& step, int64_t ordinal, std::vector<std::string>* records) {
  find_group_->Reset().Bind(ordinal);
  const absl::StatusOr<bool> found = find_group_->Step();
  v1::GroupRecord group;
  if (!found.ok() || !*found || !group.ParseFromString(find_group_->Bytes(2))) {
    once_->Broken(absl::StrCat("ordinal ", ordinal, " of step ", step.step(), " has no sound record"));
    return;
  }
  records->push_back(find_group_->Bytes(2));
  if (ordinal >= 0 && ordinal < kMostOrdinals) {
    if (static_cast<size_t>(ordinal) >= named_.size()) named_.resize(static_cast<size_t>(ordinal) + 1);
    const bool twice = named_[static_cast<size_t>(ordinal)];
    named_[static_cast<size_t>(ordinal)] = true;
    if (twice) {
      once_->Broken(
          absl::StrCat("ordinal ", ordinal, " went into steps ", group.step(), " and ", step.step()));
      return;
    }
  }
  if (group.ordinal() != ordinal || group.state() != v1::CONSUMED || group.step() != step.step()) {
    once_->Broken(absl::StrCat("the record of ordinal ", ordinal, " does not say step ", step.step()));
    return;
  }
  if (group.rank() < 0 || group.rank() >= std::max(1, step.ranks())) {
    once_->Broken(absl::StrCat("ordinal ", ordinal, " was for rank ", group.rank(),
                               " of the learner, which had no such rank at step ", step.step()));
  }
  CheckSamples(group);
  if (group.generation() < generation_)
    once_->Broken(absl::StrCat("ordinal ", ordinal, " was planned before steps were abandoned"));
  generation_ = std::max(generation_, group.generation());
  const int64_t age = step.step() - group.version().number();
  if (age > identity_.max_staleness || age < 0) {
    fresh_->Broken(absl::StrCat("ordinal ", ordinal, " in step ", step.step(), " came from version ",
                                group.version().number()));
  }
  if (group.version().number() == 0) {
    base_digests_.insert(group.version().digest());
  } else if (const auto known = published_.find(group.version().number());
             known == published_.end() || known->second != group.version().digest()) {
    versions_->Broken(absl::StrCat("ordinal ", ordinal, " used ", Name(group.version())));
  }
  CheckAcknowledged(group);
}

void RunAudit::CheckSamples(const v1::GroupRecord& group) {
  const auto broken = [&](const std::string& how) {
    complete_->Broken(absl::StrCat("ordinal ", group.ordinal(), " ", how));
  };
  if (group.samples_size() != identity_.group_size)
    broken(absl::StrCat("has ", group.samples_size(), " samples"));
  if (group.trajectory_digest().empty()) broken("has no trajectory");
  if (group.member_id().empty()) broken("has no lease");
  for (int slot = 0; slot < group.samples_size(); ++slot) {
    if (group.samples(slot).slot() != slot) broken(absl::StrCat("lacks slot ", slot));
  }
  if (const v1::RetireReason fault = SamplesFault(group.samples()); fault != v1::RETIRE_UNSPECIFIED) {
    broken(absl::StrCat("could not be trained on: ", Word(fault)));
  } else if (identity_.filter_zero_variance == 1 && HasZeroVariance(group.samples())) {
    broken("has the same scores for all samples");
  }
}

void RunAudit::CheckAcknowledged(const v1::GroupRecord& group) {
  const v1::PolicyVersion& version = group.version();
  find_acknowledgement_->Reset()
      .Bind(group.member_id())
      .Bind(group.incarnation())
      .Bind(version.number())
      .Bind(version.digest());
  const absl::StatusOr<bool> found = find_acknowledgement_->Step();
  if (!found.ok() || !*found) {
    versions_->Broken(absl::StrCat("ordinal ", group.ordinal(), " used ", Name(version), ", which ",
                                   group.member_id(), " had not acknowledged"));
  }
}

absl::Status RunAudit::ReadGroups() {
  Statement rows(store_.database(), "SELECT ordinal, state, step, record FROM groups ORDER BY ordinal");
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    CheckGroup(rows.Integer(0), rows.Integer(1), rows.Integer(2), rows.Bytes(3));
  }
  if (expected_ordinal_ < next_ordinal_)
    all_known_->Broken(absl::StrCat("ordinal ", expected_ordinal_, " has no record"));
  if (expected_ordinal_ > next_ordinal_)
    all_known_->Broken(absl::StrCat("ordinal ", expected_ordinal_ - 1, " was never planned"));
  const absl::StatusOr<std::map<v1::RetireReason, int64_t>> counted = store_.RetiredByReason();
  if (!counted.ok()) return counted.status();
  if (*counted != retired_) all_known_->Broken("the counts of retired groups are not those of their records");
  return absl::OkStatus();
}

void RunAudit::CheckGroup(int64_t ordinal, int64_t state, int64_t step, const std::string& bytes) {
  if (ordinal != expected_ordinal_)
    all_known_->Broken(absl::StrCat("ordinal ", expected_ordinal_, " has no record"));
  expected_ordinal_ = ordinal + 1;
  v1::GroupRecord group;
  if (!group.ParseFromString(bytes) || group.ordinal() != ordinal || group.state() != state ||
      group.step() != step || !v1::GroupState_IsValid(static_cast<int>(state)) || state == 0) {
    all_known_->Broken(absl::StrCat("the record of ordinal ", ordinal, " is not what its row says"));
    return;
  }
  const bool named =
      ordinal >= 0 && static_cast<size_t>(ordinal) < named_.size() && named_[static_cast<size_t>(ordinal)];
  if (group.state() == v1::CONSUMED) {
    if (!named)
      once_->Broken(absl::StrCat("ordinal ", ordinal, " says it was consumed, but no step names it"));
    return;
  }
  if (group.state() == v1::RETIRED) {
    const v1::RetireReason reason = group.retired_reason();
    if (reason == v1::RETIRE_UNSPECIFIED || !v1::RetireReason_IsValid(reason))
      all_known_->Broken(absl::StrCat("ordinal ", ordinal, " was retired without a reason"));
    ++retired_[reason];
  } else if (finished_) {
    all_known_->Broken(absl::StrCat("the run has finished, and ordinal ", ordinal, " is still open"));
  }
  if (!group.has_version()) return;
  if (group.version().number() == 0) {
    base_digests_.insert(group.version().digest());
  } else if (!ever_published_.contains({group.version().number(), group.version().digest()})) {
    versions_->Broken(absl::StrCat("ordinal ", ordinal, " used ", Name(group.version())));
  }
}

absl::Status RunAudit::ReadAcknowledgements() {
  const absl::StatusOr<std::vector<v1::PolicyVersion>> acknowledged = store_.Acknowledgements();
  if (!acknowledged.ok()) return acknowledged.status();
  for (const v1::PolicyVersion& version : *acknowledged) {
    if (version.number() == 0) {
      base_digests_.insert(version.digest());
    } else if (!ever_published_.contains({version.number(), version.digest()})) {
      versions_->Broken(absl::StrCat("a worker acknowledged ", Name(version), ", which no step made"));
    }
  }
  if (base_digests_.size() > 1) versions_->Broken("version 0 has more than one digest");
  return absl::OkStatus();
}

}  // namespace lvrpo
