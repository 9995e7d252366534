#include "learner/step_keeper.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/copies/share_tensors.h"
#include "learner/copies/state_slices.h"
#include "model/weights/lora.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

constexpr char kYes[] = "yes";

// The folder of a rank that has none is nobody else's.
std::string FolderOf(const StepCopies* copies, int rank) {
  return copies == nullptr ? absl::StrCat("none of rank ", rank) : copies->token();
}

}  // namespace

StepKeeper::StepKeeper(Options options, GrpoTrainer& trainer, Collectives* collectives, Metrics& metrics)
    : options_(std::move(options)),
      trainer_(trainer),
      collectives_(collectives),
      ranks_(collectives),
      metrics_(metrics) {}

void StepKeeper::Note(const absl::Status& status) {
  if (status.ok() == well_) return;
  well_ = status.ok();
  if (well_) {
    spdlog::info("copies of steps are kept again");
  } else {
    spdlog::warn("steps are not copied, a learner that starts again goes back to a checkpoint: {}",
                 std::string(status.message()));
  }
}

absl::Status StepKeeper::Open() {
  absl::StatusOr<std::unique_ptr<StepCopies>> copies = StepCopies::Open(
      {.folder = options_.folder, .run_id = options_.run_id, .config_digest = options_.config_digest});
  if (copies.ok()) copies_ = *std::move(copies);
  Note(copies.status());
  absl::StatusOr<std::vector<std::string>> folders = ranks_.Gather(FolderOf(copies_.get(), ranks_.rank()));
  if (!folders.ok()) return folders.status();
  exchanges_ = options_.sharded && std::set<std::string>(folders->begin(), folders->end()).size() > 1;
  kept_ = PartsToKeep(ranks_.rank(), *folders, options_.sharded);
  const std::string& own = (*folders)[static_cast<size_t>(ranks_.rank())];
  if (std::find(folders->begin(), folders->end(), own) - folders->begin() != ranks_.rank())
    return absl::OkStatus();
  for (int other = 0; other < ranks_.size(); ++other) {
    if ((*folders)[static_cast<size_t>(other)] != own) continue;
    const std::vector<int> theirs = PartsToKeep(other, *folders, options_.sharded);
    here_.insert(here_.end(), theirs.begin(), theirs.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> StepKeeper::AllOf(bool own) {
  const absl::StatusOr<std::vector<std::string>> all = ranks_.Gather(own ? kYes : "");
  if (!all.ok()) return all.status();
  return std::find(all->begin(), all->end(), "") == all->end();
}

bool StepKeeper::ReadOwn(const CopiedStep& step, const CopySource& source, std::vector<TensorMap>& parts) {
  const auto count = static_cast<int>(source.parts.size());
  for (int part = 0; part < count; ++part) {
    const CopySource::Part& from = source.parts[static_cast<size_t>(part)];
    if (!from.everywhere && from.holder != ranks_.rank()) continue;
    const CopyOffer copy = {.epoch = source.epoch, .parts = count, .part = part};
    absl::StatusOr<TensorMap> read = copies_->Read(step, copy);
    if (!read.ok()) {
      spdlog::warn("a copy of step {} is not used: {}", step.step, std::string(read.status().message()));
      unusable_.push_back(copy);
      return false;
    }
    parts[static_cast<size_t>(part)] = *std::move(read);
  }
  return true;
}

absl::StatusOr<std::vector<TensorMap>> StepKeeper::Collect(const CopiedStep& step) {
  while (true) {
    std::vector<CopyOffer> own;
    if (copies_ != nullptr) own = copies_->Find(step);
    std::erase_if(own, [this](const CopyOffer& copy) {
      return std::find(unusable_.begin(), unusable_.end(), copy) != unusable_.end();
    });
    const absl::StatusOr<std::vector<std::string>> said = ranks_.Gather(WriteOffers(own));
    if (!said.ok()) return said.status();
    std::vector<std::vector<CopyOffer>> offers;
    for (const std::string& words : *said) offers.push_back(ReadOffers(words));
    const std::optional<CopySource> source = ChooseCopies(offers);
    if (!source.has_value()) return std::vector<TensorMap>();
    std::vector<TensorMap> parts(source->parts.size());
    const absl::StatusOr<bool> read = AllOf(ReadOwn(step, *source, parts));
    if (!read.ok()) return read.status();
    if (!*read) continue;  // without the copy that could not be read
    for (size_t part = 0; part < parts.size(); ++part) {
      if (source->parts[part].everywhere) continue;
      if (absl::Status status = ShareTensors(collectives_, source->parts[part].holder, parts[part]);
          !status.ok())
        return status;
    }
    return parts;
  }
}

absl::StatusOr<StateTensors> StepKeeper::Join(std::vector<TensorMap> parts, const CopiedStep& step) const {
  const absl::StatusOr<TensorMap> joined = JoinSlices(std::move(parts), ShapesOf(trainer_.trained()));
  if (!joined.ok()) return joined.status();
  StateTensors state = SplitState(*joined);
  if (PackWeights(state.weights, step.step).manifest.version().digest() != step.digest)
    return absl::DataLossError("they hold other weights than the records name");
  return state;
}

absl::StatusOr<bool> StepKeeper::Restore(const CopiedStep& step) {
  absl::StatusOr<std::vector<TensorMap>> parts = Collect(step);
  if (!parts.ok()) return parts.status();
  if (parts->empty()) return false;
  const absl::StatusOr<StateTensors> state = Join(*std::move(parts), step);
  if (!state.ok())
    spdlog::warn("the copies of step {} are not used: {}", step.step, std::string(state.status().message()));
  const absl::StatusOr<bool> all = AllOf(state.ok());
  if (!all.ok() || !*all) return all;
  absl::Status restored = trainer_.RestoreOptimizers(state->optimizers);
  restored.Update(trainer_.RestoreWeights(state->weights));
  if (absl::Status status = ranks_.AgreeOn(restored); !status.ok()) return status;
  return true;
}

absl::Status StepKeeper::Write(const CopiedStep& step, const std::map<int, TensorMap>& gathered) {
  const int parts = options_.sharded ? ranks_.size() : 1;
  if (!here_.empty()) copies_->RemoveOthers(step.step, here_, parts);
  absl::Status written;
  for (const int part : kept_) {
    const auto others = gathered.find(part);
    const CopyOffer copy = {.epoch = options_.epoch, .parts = parts, .part = part};
    written.Update(
        copies_->Write(step, copy, others == gathered.end() ? trainer_.StatePieces() : others->second));
  }
  return written;
}

absl::Status StepKeeper::Keep(const CopiedStep& step) {
  absl::StatusOr<std::map<int, TensorMap>> gathered = std::map<int, TensorMap>();
  if (exchanges_) {
    std::vector<int> others = kept_;
    std::erase(others, ranks_.rank());
    gathered = trainer_.GatherStatePieces(others);
    if (!gathered.ok()) return gathered.status();
  }
  if (copies_ != nullptr) {
    const absl::Status written = Write(step, *gathered);
    Note(written);
    if (!written.ok()) {
      metrics_.Counter("lvrpo_learner_step_copies_failed_total").Increment();
    }
  }
  return ranks_.AgreeOn(absl::OkStatus());
}

void StepKeeper::Remove() {
  if (copies_ != nullptr && !here_.empty()) copies_->Remove();
}

}  // namespace lvrpo
