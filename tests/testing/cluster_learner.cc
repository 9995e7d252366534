#include "tests/testing/cluster_learner.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "learner/ranks/rank_process.h"
#include "learner/upload_check.h"
#include "nlohmann/json.hpp"
#include "tests/testing/fake_policy.h"

namespace lvrpo {
namespace {

constexpr int64_t kCheckpointEvery = 2, kMostBytes = 1 << 20;
constexpr char kWeightsFile[] = "policy.safetensors";

v1::LearnerPlace Place(int rank, int ranks) {
  v1::LearnerPlace place;
  place.set_rank(rank);
  place.set_ranks(ranks);
  if (rank == 0 && ranks > 1) place.set_rendezvous("host:1");
  return place;
}

}  // namespace

ClusterLearner::ClusterLearner(ClusterWorld& world, const ClusterProcess& process, int64_t steps, int rank,
                               int ranks)
    : world_(world),
      address_(process.address()),
      steps_(steps),
      rank_(rank),
      ranks_(ranks),
      spool_(SpoolFolderOf(world.run_dir, rank), kMostBytes, world.clock),
      member_(world, {.role = v1::ROLE_LEARNER,
                      .process = process,
                      .report =
                          [this](v1::HeartbeatRequest& beat) {
                            if (started_ && rank_ == 0) {
                              *beat.mutable_version() = version_;
                              beat.set_weight_streams(0);
                            }
                            beat.set_learner_epoch(team_.epoch.id());
                          },
                      .learner = Place(rank, ranks)}),
      weights_(BaseWeights(world.seed)) {
  world_.learners[address_] = this;
  world_.weights[address_] = &published_;
}

ClusterLearner::~ClusterLearner() {
  world_.learners.erase(address_);
  world_.weights.erase(address_);
}

void ClusterLearner::Publish() {
  const auto packed = std::make_shared<const PackedWeights>(PackFake(step_, weights_));
  version_ = packed->manifest.version();
  published_.Keep(packed);
}

absl::Status ClusterLearner::Receive(const v1::UploadHeader& header, const std::string& bytes) {
  OpenLeases open;
  if (joined_) {
    open = {.run_id = member_.fence().run_id(),
            .run_epoch = member_.fence().run_epoch(),
            .lowest_open_ordinal = member_.view().lowest_open_ordinal(),
            .next_ordinal = member_.view().next_ordinal()};
  }
  if (absl::Status status = CheckUpload(header, open, kMostBytes); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<Spool::Writer>> writer =
      spool_.Begin(header.lease().ordinal(), header.lease().attempt(), header.digest(), header.size_bytes());
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Append(bytes); !status.ok()) return status;
  return (*writer)->Commit();
}

absl::Status ClusterLearner::Meet() {
  const RankTransport transport = {
      .open = nullptr,
      .connect = [this](const v1::LearnerEpoch& epoch,
                        int rank) -> absl::StatusOr<std::unique_ptr<Collectives>> {
        auto ranks = std::make_unique<ClusterRanks>(world_, epoch, rank, [this, epoch] {
          return member_.lost().ok() ? CheckOwnEpoch(epoch, member_.view().learner_epoch()) : member_.lost();
        });
        if (absl::Status status = ranks->Gather("").status(); !status.ok()) return status;
        return ranks;
      }};
  absl::StatusOr<JoinedEpoch> joined = MeetRanks(
      rank_, transport,
      {.view = [this] { return member_.view(); },
       .lost = [this] { return member_.lost(); },
       .stop = [] { return false; }},
      {.clock = &world_.clock, .sleep = [this](absl::Duration pause) { world_.turns.Sleep(pause); }});
  if (!joined.ok()) return joined.status();
  team_ = *std::move(joined);
  agreement_ = StepAgreement(team_.collectives.get());
  return absl::OkStatus();
}

absl::Status ClusterLearner::StartTraining() {
  v1::StartTrainingRequest request;
  *request.mutable_version() = version_;
  request.set_learner_epoch(team_.epoch.id());
  return member_.Call(&CoordinatorService::StartTraining, request).status();
}

absl::Status ClusterLearner::Restore(const v1::CheckpointRecord& record) {
  const std::string folder = JoinPath(world_.run_dir, record.path());
  const absl::StatusOr<std::string> manifest = ReadFile(JoinPath(folder, "manifest.json"));
  const absl::StatusOr<std::string> weights = ReadFile(JoinPath(folder, kWeightsFile));
  if (!manifest.ok() || !weights.ok() || Sha256Hex(*manifest) != record.digest())
    return absl::DataLossError(absl::StrCat(record.path(), " is damaged"));
  weights_ = *weights;
  step_ = saved_step_ = record.step();
  return absl::OkStatus();
}

absl::Status ClusterLearner::Start() {
  v1::CheckpointRecord from;
  if (!member_.checkpoints().empty()) from = member_.checkpoints().front();
  const absl::StatusOr<std::string> told = agreement_.Tell(from.SerializeAsString());
  if (!told.ok()) return told.status();
  from.ParseFromString(*told);
  if (!from.path().empty()) {
    if (absl::Status status = agreement_.AgreeOn(Restore(from)); !status.ok()) return status;
  }
  Publish();
  started_ = true;
  spool_.RemoveBelow(member_.view().lowest_open_ordinal());
  return rank_ == 0 ? StartTraining() : absl::OkStatus();
}

absl::StatusOr<v1::TrajectoryGroup> ClusterLearner::Load(const v1::AssignedGroup& assigned) const {
  absl::StatusOr<v1::TrajectoryGroup> group =
      spool_.Get(assigned.ordinal(), assigned.attempt(), assigned.trajectory_digest());
  if (group.ok() && group->version().digest() != assigned.version().digest())
    return absl::InvalidArgumentError("another group's trajectories");
  return group;
}

absl::Status ClusterLearner::Commit(const v1::AssignStepResponse& assignment) {
  v1::CommitStepResponse response;
  if (rank_ == 0) {
    v1::CommitStepRequest commit;
    commit.set_step(step_ - 1);
    for (const v1::AssignedGroup& group : assignment.groups()) commit.add_ordinals(group.ordinal());
    *commit.mutable_new_version() = version_;
    commit.set_learner_epoch(team_.epoch.id());
    const absl::StatusOr<v1::CommitStepResponse> committed =
        member_.Call(&CoordinatorService::CommitStep, commit);
    if (!committed.ok()) return committed.status();
    response = *committed;
  }
  const absl::StatusOr<std::string> told = agreement_.Tell(response.SerializeAsString());
  if (!told.ok()) return told.status();
  response.ParseFromString(*told);
  spool_.RemoveBelow(response.lowest_open_ordinal());
  return absl::OkStatus();
}

absl::StatusOr<StepAgreement::Word> ClusterLearner::Prepare(v1::AssignStepResponse& assignment,
                                                            std::map<int64_t, v1::TrajectoryGroup>& own) {
  StepAgreement::Word word;
  v1::AssignStepRequest request;
  request.set_step(step_);
  request.set_learner_epoch(team_.epoch.id());
  const absl::StatusOr<v1::AssignStepResponse> answer =
      member_.Call(&CoordinatorService::AssignStep, request);
  if (ErrorInfoOf(answer.status()).reason() == v1::REFUSAL_NOT_STARTED) {
    const absl::Status started = rank_ == 0 ? StartTraining() : absl::OkStatus();
    if (!started.ok()) return started;
    return word;
  }
  if (!answer.ok()) return answer.status();
  if (!answer->assigned()) {
    world_.turns.Sleep(absl::Seconds(answer->retry_after_seconds()));
    return word;
  }
  assignment = *answer;
  v1::ReportLostGroupsRequest lost;
  for (const v1::AssignedGroup& assigned : assignment.groups()) {
    if (assigned.rank() != rank_) continue;
    const absl::StatusOr<v1::TrajectoryGroup> group = Load(assigned);
    if (group.ok()) {
      own[assigned.ordinal()] = *group;
      continue;
    }
    v1::LostGroup& entry = *lost.add_groups();
    entry.set_ordinal(assigned.ordinal());
    entry.set_reason(absl::IsInvalidArgument(group.status()) ? v1::RETIRE_UNTRAINABLE
                                                             : v1::RETIRE_TRAJECTORY_LOST);
  }
  word = {
      .unusable = lost.groups_size() > 0, .assigned = true, .assignment = FingerprintOf(step_, assignment)};
  if (!word.unusable) return word;
  lost.set_learner_epoch(team_.epoch.id());
  const absl::Status reported = member_.Call(&CoordinatorService::ReportLostGroups, lost).status();
  if (!reported.ok()) return reported;
  return word;
}

absl::StatusOr<std::map<int64_t, v1::TrajectoryGroup>> ClusterLearner::Exchange(
    std::map<int64_t, v1::TrajectoryGroup> own) {
  if (team_.collectives == nullptr) return own;
  nlohmann::json mine = nlohmann::json::object();
  for (const auto& [ordinal, group] : own)
    mine[std::to_string(ordinal)] = absl::BytesToHexString(group.SerializeAsString());
  const auto all = static_cast<ClusterRanks&>(*team_.collectives).Gather(mine.dump());
  if (!all.ok()) return all.status();
  for (const std::string& words : *all) {
    const nlohmann::json theirs = nlohmann::json::parse(words);
    for (const auto& [ordinal, bytes] : theirs.items())
      own[std::stoll(ordinal)].ParseFromString(absl::HexStringToBytes(bytes.get<std::string>()));
  }
  return own;
}

absl::Status ClusterLearner::TrainOneStep() {
  v1::AssignStepResponse assignment;
  std::map<int64_t, v1::TrajectoryGroup> own;
  const absl::StatusOr<StepAgreement::Word> word = Prepare(assignment, own);
  if (!word.ok()) return word.status();
  const absl::StatusOr<StepAgreement::Verdict> verdict = agreement_.Agree(*word);
  if (!verdict.ok() || *verdict != StepAgreement::Verdict::kTrain) return verdict.status();
  const absl::StatusOr<std::map<int64_t, v1::TrajectoryGroup>> groups = Exchange(std::move(own));
  if (!groups.ok()) return groups.status();
  for (const v1::AssignedGroup& assigned : assignment.groups())
    weights_ = TrainOn(weights_, groups->at(assigned.ordinal()), assigned);
  ++step_;
  Publish();
  if (absl::Status status = Commit(assignment); !status.ok()) return status;
  return step_ % kCheckpointEvery == 0 || step_ == steps_ ? Save() : absl::OkStatus();
}

absl::Status ClusterLearner::Save() {
  if (rank_ > 0 || saved_step_ == step_) return absl::OkStatus();
  const std::string path = absl::StrFormat("checkpoints/step_%06d", step_);
  const std::string folder = JoinPath(world_.run_dir, path);
  const std::string manifest = nlohmann::json{{"step", step_},
                                              {"weights_digest", version_.digest()},
                                              {"config_digest", "config"},
                                              {"files", {{kWeightsFile, Sha256Hex(weights_)}}}}
                                   .dump();
  for (const absl::Status& status :
       {MakeFolder(folder), WriteFileAtomic(JoinPath(folder, kWeightsFile), weights_),
        WriteFileAtomic(JoinPath(folder, "manifest.json"), manifest)}) {
    if (!status.ok()) return status;
  }
  v1::RecordCheckpointRequest request;
  request.set_step(step_);
  request.set_path(path);
  request.set_digest(Sha256Hex(manifest));
  request.set_learner_epoch(team_.epoch.id());
  const absl::Status status = member_.Call(&CoordinatorService::RecordCheckpoint, request).status();
  if (status.ok()) saved_step_ = step_;
  return status;
}

absl::Status ClusterLearner::Run() {
  if (absl::Status status = spool_.Open(); !status.ok()) return status;
  if (absl::Status status = member_.Join(); !status.ok()) return status;
  joined_ = true;
  if (absl::Status status = Meet(); absl::IsCancelled(status)) {  // the others have finished
    member_.Leave();
    return absl::OkStatus();
  } else if (!status.ok()) {
    return status;
  }
  if (absl::Status status = Start(); !status.ok()) return status;
  while (step_ < steps_) {
    if (!member_.lost().ok()) return member_.lost();
    const absl::Status over = CheckOwnEpoch(team_.epoch, member_.view().learner_epoch());
    if (!over.ok()) return over;
    if (ranks_ == 1 && member_.view().draining()) break;
    if (absl::Status status = TrainOneStep(); !status.ok()) return status;
  }
  if (absl::Status status = agreement_.AgreeOn(Save()); !status.ok()) return status;
  member_.Leave();
  return absl::OkStatus();
}

}  // namespace lvrpo
