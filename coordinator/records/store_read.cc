// Store's reads.

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "coordinator/records/statement.h"
#include "coordinator/records/store.h"

namespace lvrpo {
namespace {

template <class Record>
absl::StatusOr<std::vector<Record>> ReadRecords(Statement& select) {
  std::vector<Record> records;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return records;
    Record record;
    if (!record.ParseFromString(select.Bytes(0)))
      return absl::DataLossError("the run's database holds a damaged record");
    records.push_back(std::move(record));
  }
}

template <class Record>
absl::StatusOr<std::vector<Record>> ReadRecords(sqlite3* database, const char* sql) {
  Statement select(database, sql);
  return ReadRecords<Record>(select);
}

}  // namespace

absl::StatusOr<int64_t> Store::GetNumber(const std::string& key, int64_t missing) const {
  Statement select(database_, "SELECT value FROM meta WHERE key = ?");
  absl::StatusOr<bool> row = select.Bind(key).Step();
  if (!row.ok()) return row.status();
  return *row ? select.Integer(0) : missing;
}

absl::StatusOr<std::string> Store::GetText(const std::string& key) const {
  Statement select(database_, "SELECT value FROM meta WHERE key = ?");
  absl::StatusOr<bool> row = select.Bind(key).Step();
  if (!row.ok()) return row.status();
  return *row ? select.Bytes(0) : std::string();
}

absl::StatusOr<RunIdentity> Store::Identity() const {
  RunIdentity identity;
  for (const auto& [key, field] : {std::pair<const char*, std::string*>{"run_id", &identity.run_id},
                                   {"config_digest", &identity.config_digest}}) {
    absl::StatusOr<std::string> text = GetText(key);
    if (!text.ok()) return text.status();
    *field = *std::move(text);
  }
  for (const auto& [key, field] : {std::pair<const char*, int64_t*>{"total_steps", &identity.total_steps},
                                   {"group_size", &identity.group_size},
                                   {"groups_per_step", &identity.groups_per_step},
                                   {"max_staleness", &identity.max_staleness},
                                   {"filter_zero_variance", &identity.filter_zero_variance}}) {
    const absl::StatusOr<int64_t> number = GetNumber(key, -1);
    if (!number.ok()) return number.status();
    *field = *number;
  }
  return identity;
}

absl::StatusOr<int64_t> Store::CommittedSteps() const {
  Statement select(database_, "SELECT coalesce(max(step) + 1, 0) FROM steps");
  absl::StatusOr<bool> row = select.Step();
  if (!row.ok()) return row.status();
  return select.Integer(0);
}

absl::StatusOr<std::vector<v1::GroupRecord>> Store::OpenGroups() const {
  return ReadRecords<v1::GroupRecord>(database_,
                                      "SELECT record FROM groups WHERE state < 5 ORDER BY ordinal");
}

absl::StatusOr<std::vector<v1::GroupRecord>> Store::NewestRetired(int count) const {
  Statement select(database_, "SELECT record FROM groups WHERE state = 6 ORDER BY ordinal DESC LIMIT ?");
  return ReadRecords<v1::GroupRecord>(select.Bind(int64_t{count}));
}

absl::StatusOr<PlanPosition> Store::Plan() const {
  PlanPosition plan;
  const absl::StatusOr<int64_t> next = GetNumber("next_ordinal", 0), generation = GetNumber("generation", 0),
                                first = GetNumber("first_attempt", 0),
                                highest = GetNumber("highest_attempt", 0);
  for (const absl::Status& status : {next.status(), generation.status(), first.status(), highest.status()}) {
    if (!status.ok()) return status;
  }
  plan.next_ordinal = *next;
  plan.generation = static_cast<int32_t>(*generation);
  plan.first_attempt = static_cast<int32_t>(*first);
  plan.highest_attempt = static_cast<int32_t>(*highest);
  return plan;
}

absl::StatusOr<std::map<v1::RetireReason, int64_t>> Store::RetiredByReason() const {
  std::map<v1::RetireReason, int64_t> counts;
  Statement select(database_, "SELECT reason, count FROM retired");
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return counts;
    counts[static_cast<v1::RetireReason>(select.Integer(0))] = select.Integer(1);
  }
}

absl::StatusOr<v1::GroupRecord> Store::Group(int64_t ordinal) const {
  Statement select(database_, "SELECT record FROM groups WHERE ordinal = ?");
  absl::StatusOr<std::vector<v1::GroupRecord>> found = ReadRecords<v1::GroupRecord>(select.Bind(ordinal));
  if (!found.ok()) return found.status();
  if (found->empty()) return absl::NotFoundError(absl::StrCat("ordinal ", ordinal, " has no record"));
  return found->front();
}

absl::StatusOr<std::vector<v1::StepRecord>> Store::StepsFrom(int64_t step) const {
  Statement select(database_, "SELECT record FROM steps WHERE step >= ? ORDER BY step");
  return ReadRecords<v1::StepRecord>(select.Bind(step));
}

absl::Status Store::ForEachStep(const std::function<absl::Status(const v1::StepRecord&)>& visit) const {
  Statement select(database_, "SELECT record FROM steps ORDER BY step");
  v1::StepRecord step;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    if (!step.ParseFromString(select.Bytes(0)))
      return absl::DataLossError("the run's database holds a damaged record");
    if (absl::Status status = visit(step); !status.ok()) return status;
  }
}

absl::StatusOr<std::vector<v1::CheckpointRecord>> Store::Checkpoints() const {
  return ReadRecords<v1::CheckpointRecord>(database_, "SELECT record FROM checkpoints ORDER BY step");
}

absl::StatusOr<std::vector<v1::CheckpointRecord>> Store::AbandonedCheckpoints() const {
  return ReadRecords<v1::CheckpointRecord>(database_, "SELECT record FROM abandoned_checkpoints ORDER BY id");
}

absl::StatusOr<std::vector<v1::EvaluationRecord>> Store::Evaluations() const {
  const absl::StatusOr<bool> there = HasTable("evaluations");
  if (!there.ok()) return there.status();
  if (!*there) return std::vector<v1::EvaluationRecord>();
  return ReadRecords<v1::EvaluationRecord>(database_, "SELECT record FROM evaluations ORDER BY step");
}

absl::StatusOr<std::map<std::string, ContractEntry>> Store::Contract() const {
  std::map<std::string, ContractEntry> contract;
  Statement select(database_, "SELECT key, value, role FROM contract");
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return contract;
    contract[select.Bytes(0)] = {select.Bytes(1), static_cast<v1::Role>(select.Integer(2))};
  }
}

absl::StatusOr<std::vector<EventRecord>> Store::Events() const {
  Statement select(database_, "SELECT unix_seconds, kind, text FROM events ORDER BY id");
  std::vector<EventRecord> events;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return events;
    events.push_back({select.Real(0), select.Bytes(1), select.Bytes(2)});
  }
}

absl::StatusOr<std::vector<v1::StepRecord>> Store::AbandonedSteps() const {
  return ReadRecords<v1::StepRecord>(database_, "SELECT record FROM abandoned_steps ORDER BY id");
}

absl::StatusOr<std::vector<v1::PolicyVersion>> Store::Acknowledgements() const {
  Statement select(database_, "SELECT DISTINCT version, digest FROM acknowledgements ORDER BY version");
  std::vector<v1::PolicyVersion> versions;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return versions;
    v1::PolicyVersion version;
    version.set_number(select.Integer(0));
    version.set_digest(select.Bytes(1));
    versions.push_back(version);
  }
}

}  // namespace lvrpo
