#include "coordinator/audit.h"

#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/hash.h"
#include "coordinator/store.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

// Collects what is wrong under one promise.
class Promise {
 public:
  explicit Promise(std::string text) : text_(std::move(text)) {}
  void Broken(const std::string& how) {
    if (broken_++ < 3) absl::StrAppend(&how_, how_.empty() ? "" : "; ", how);
  }
  Proof Result() const {
    if (broken_ == 0) return {text_, true};
    return {absl::StrCat("NOT TRUE: ", text_, " (", how_,
                         broken_ > 3 ? absl::StrCat("; ", broken_ - 3, " more") : "", ")"),
            false};
  }

 private:
  std::string text_, how_;
  int broken_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Proof>> AuditRun(const std::string& run_dir) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::OpenReadOnly(JoinPath(run_dir, "coordinator.sqlite"));
  if (!store.ok()) return store.status();
  const absl::StatusOr<std::vector<v1::StepRecord>> steps = (*store)->Steps();
  const absl::StatusOr<std::vector<v1::GroupRecord>> groups = (*store)->Groups();
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = (*store)->Checkpoints();
  const absl::StatusOr<std::vector<v1::StepRecord>> abandoned = (*store)->AbandonedSteps();
  const absl::StatusOr<std::vector<v1::PolicyVersion>> acknowledged = (*store)->Acknowledgements();
  for (const absl::Status& status :
       {steps.status(), groups.status(), checkpoints.status(), abandoned.status(), acknowledged.status()}) {
    if (!status.ok()) return status;
  }
  const auto number = [&](const char* key) -> int64_t { return (*store)->GetNumber(key, -1).value_or(-1); };
  const int64_t group_size = number("group_size"), per_step = number("groups_per_step"),
                staleness = number("max_staleness"), next_ordinal = number("next_ordinal"),
                total_steps = number("total_steps");
  const bool finished = static_cast<int64_t>(steps->size()) >= total_steps;

  std::map<int64_t, const v1::GroupRecord*> by_ordinal;
  for (const v1::GroupRecord& group : *groups) by_ordinal[group.ordinal()] = &group;

  Promise sequence(
      absl::StrCat("the ", steps->size(), " steps follow one another without a gap, each with its version"));
  std::map<int64_t, std::string> published;  // version -> digest
  for (size_t i = 0; i < steps->size(); ++i) {
    const v1::StepRecord& step = (*steps)[i];
    if (step.step() != static_cast<int64_t>(i)) sequence.Broken(absl::StrCat("step ", i, " is missing"));
    if (step.new_version().version() != step.step() + 1 || step.new_version().digest().empty()) {
      sequence.Broken(absl::StrCat("step ", step.step(), " made version ", step.new_version().version()));
    }
    published[step.new_version().version()] = step.new_version().digest();
  }

  Promise once("every group was consumed at most once, by the step its record names");
  Promise complete(absl::StrCat("every step consumed ", per_step, " groups of ", group_size,
                                " samples with finite rewards and a stored trajectory"));
  Promise fresh(absl::StrCat("no group was more than ", staleness, " steps old"));
  std::map<int64_t, int64_t> consumed_by;
  for (const v1::StepRecord& step : *steps) {
    if (step.ordinals_size() != per_step)
      complete.Broken(absl::StrCat("step ", step.step(), " has ", step.ordinals_size()));
    for (const int64_t ordinal : step.ordinals()) {
      if (!consumed_by.emplace(ordinal, step.step()).second) {
        once.Broken(absl::StrCat("ordinal ", ordinal, " went into steps ", consumed_by[ordinal], " and ",
                                 step.step()));
      }
      const auto group = by_ordinal.find(ordinal);
      if (group == by_ordinal.end() || group->second->state() != v1::CONSUMED ||
          group->second->step() != step.step()) {
        once.Broken(absl::StrCat("the record of ordinal ", ordinal, " does not say step ", step.step()));
        continue;
      }
      if (group->second->samples_size() != group_size || group->second->trajectory_digest().empty()) {
        complete.Broken(
            absl::StrCat("ordinal ", ordinal, " has ", group->second->samples_size(), " samples"));
      }
      for (int slot = 0; slot < group->second->samples_size(); ++slot) {
        const v1::SampleSummary& sample = group->second->samples(slot);
        if (sample.slot() != slot) complete.Broken(absl::StrCat("ordinal ", ordinal, " lacks slot ", slot));
        if (!std::isfinite(sample.reward()))
          complete.Broken(absl::StrCat("ordinal ", ordinal, " has a reward that is not finite"));
      }
      if (step.step() - group->second->version().version() > staleness) {
        fresh.Broken(absl::StrCat("ordinal ", ordinal, " in step ", step.step(), " came from version ",
                                  group->second->version().version()));
      }
    }
  }
  for (const v1::GroupRecord& group : *groups) {
    if (group.state() == v1::CONSUMED && !consumed_by.contains(group.ordinal())) {
      once.Broken(absl::StrCat("ordinal ", group.ordinal(), " says it was consumed, but no step names it"));
    }
  }

  Promise all_known(absl::StrCat("each of the ", next_ordinal, " planned ordinals is accounted for"));
  for (int64_t ordinal = 0; ordinal < next_ordinal; ++ordinal) {
    const auto group = by_ordinal.find(ordinal);
    if (group == by_ordinal.end()) {
      all_known.Broken(absl::StrCat("ordinal ", ordinal, " has no record"));
    } else if (group->second->state() == v1::RETIRED && group->second->retired_reason().empty()) {
      all_known.Broken(absl::StrCat("ordinal ", ordinal, " was retired without a reason"));
    } else if (finished && group->second->state() != v1::RETIRED && group->second->state() != v1::CONSUMED) {
      all_known.Broken(absl::StrCat("the run has finished, and ordinal ", ordinal, " is still open"));
    }
  }

  Promise versions("every group and every worker used weights that were published with that very digest");
  std::set<std::string> acknowledged_digests;
  std::set<std::pair<int64_t, std::string>> ever_published;
  for (const std::vector<v1::StepRecord>* line : {&*steps, &*abandoned}) {
    for (const v1::StepRecord& step : *line)
      ever_published.emplace(step.new_version().version(), step.new_version().digest());
  }
  std::set<std::string> base_digests;
  for (const v1::PolicyVersion& version : *acknowledged) {
    acknowledged_digests.insert(version.digest());
    if (version.version() == 0) {
      base_digests.insert(version.digest());
    } else if (!ever_published.contains({version.version(), version.digest()})) {
      versions.Broken(absl::StrCat("a worker acknowledged version ", version.version(), " ",
                                   version.digest().substr(0, 12), ", which no step made"));
    }
  }
  for (const v1::GroupRecord& group : *groups) {
    if (group.state() != v1::CONSUMED) continue;
    const v1::PolicyVersion& version = group.version();
    const auto known = published.find(version.version());
    if (version.version() == 0) {
      base_digests.insert(version.digest());
    } else if (known == published.end() || known->second != version.digest()) {
      versions.Broken(absl::StrCat("ordinal ", group.ordinal(), " used version ", version.version(), " ",
                                   version.digest().substr(0, 12)));
    }
    if (!acknowledged_digests.contains(version.digest())) {
      versions.Broken(absl::StrCat("ordinal ", group.ordinal(), " used weights that no worker acknowledged"));
    }
  }
  if (base_digests.size() > 1) versions.Broken("version 0 has more than one digest");

  Promise checkpointed("the newest checkpoint, and every older one that is kept, is intact");
  for (size_t i = 0; i < checkpoints->size(); ++i) {
    const v1::CheckpointRecord& checkpoint = (*checkpoints)[i];
    const std::string folder = JoinPath(run_dir, checkpoint.path());
    const absl::StatusOr<std::string> manifest = ReadFile(JoinPath(folder, "manifest.json"));
    const bool newest = i + 1 == checkpoints->size();
    if (absl::IsNotFound(manifest.status()) && !newest) continue;  // older ones are removed
    if (!manifest.ok() || Sha256Hex(*manifest) != checkpoint.digest()) {
      checkpointed.Broken(checkpoint.path());
      continue;
    }
    const nlohmann::json parsed = nlohmann::json::parse(*manifest, nullptr, false);
    const nlohmann::json files =
        parsed.is_object() && parsed.contains("files") ? parsed["files"] : nlohmann::json();
    if (!files.is_object()) checkpointed.Broken(JoinPath(checkpoint.path(), "manifest.json"));
    for (const auto& [name, digest] : files.items()) {
      const absl::StatusOr<std::string> bytes = ReadFile(JoinPath(folder, name));
      if (!bytes.ok() || digest != Sha256Hex(*bytes)) checkpointed.Broken(JoinPath(checkpoint.path(), name));
    }
  }

  std::vector<Proof> proofs;
  for (const Promise* promise : {&sequence, &once, &complete, &fresh, &all_known, &versions, &checkpointed}) {
    proofs.push_back(promise->Result());
  }
  return proofs;
}

}  // namespace lvrpo
