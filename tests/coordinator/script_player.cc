#include "tests/coordinator/script_player.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/net/rpc.h"
#include "common/words/words.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

std::string Refused(const grpc::Status& status) {
  const v1::RefusalReason reason = ErrorInfoOf(FromGrpcStatus(status)).reason();
  return absl::StrCat("refused: ", reason == v1::REFUSAL_UNSPECIFIED ? status.error_message() : Word(reason));
}

// The value whose word this is: ReasonOf<v1::ReturnReason>("drain").
template <class Enum>
Enum ReasonOf(const std::string& word) {
  const google::protobuf::EnumDescriptor& type = *google::protobuf::GetEnumDescriptor<Enum>();
  for (int i = 0; i < type.value_count(); ++i) {
    const auto value = static_cast<Enum>(type.value(i)->number());
    if (Word(value) == word) return value;
  }
  ADD_FAILURE() << "there is no reason " << word;
  return Enum();
}

float RewardOf(const std::string& text) {
  if (text == "nan") return std::numeric_limits<float>::quiet_NaN();
  float value = 0;
  EXPECT_TRUE(absl::SimpleAtof(text, &value)) << text;
  return value;
}

}  // namespace

std::string ScriptPlayer::Command::Option(const std::string& name, const std::string& missing) const {
  const auto found = options.find(name);
  return found == options.end() ? missing : found->second;
}

int64_t ScriptPlayer::Command::Number(const std::string& name, int64_t missing) const {
  int64_t number = missing;
  EXPECT_TRUE(!options.contains(name) || absl::SimpleAtoi(options.at(name), &number)) << name;
  return number;
}

CoordinatorService::Options ScriptPlayer::ServiceOptions() const {
  CoordinatorService::Options options = ServiceTest::ServiceOptions();
  options.rules = rules_;
  return options;
}

std::string ScriptPlayer::Play(const std::string& line) {
  static const auto* handlers =
      new std::map<std::string, Handler>{{"run", &ScriptPlayer::Run},
                                         {"join", &ScriptPlayer::Join},
                                         {"start", &ScriptPlayer::StartLearner},
                                         {"lease", &ScriptPlayer::LeaseGroup},
                                         {"submit", &ScriptPlayer::SubmitGroup},
                                         {"return", &ScriptPlayer::ReturnGroup},
                                         {"forget", &ScriptPlayer::Forget},
                                         {"kill", &ScriptPlayer::Kill},
                                         {"leave", &ScriptPlayer::LeaveRun},
                                         {"say", &ScriptPlayer::Say},
                                         {"tick", &ScriptPlayer::PassTime},
                                         {"assign", &ScriptPlayer::Assign},
                                         {"commit", &ScriptPlayer::CommitGroups},
                                         {"checkpoint", &ScriptPlayer::SaveCheckpoint},
                                         {"lose", &ScriptPlayer::LoseGroup},
                                         {"restart", &ScriptPlayer::Restart},
                                         {"fill-disk", &ScriptPlayer::FillDisk},
                                         {"free-disk", &ScriptPlayer::FreeDisk},
                                         {"drain", &ScriptPlayer::DrainRun},
                                         {"why", &ScriptPlayer::Why},
                                         {"events", &ScriptPlayer::NewEvents}};
  Command command;
  std::string name;
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  for (const std::string& word : words) {
    const std::pair<std::string, std::string> option = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (word.find('=') != std::string::npos) {
      command.options.insert(option);
    } else if (name.empty()) {
      name = word;
    } else {
      command.words.push_back(word);
    }
  }
  const auto handler = handlers->find(name);
  if (handler == handlers->end()) return absl::StrCat("there is no command ", name);
  const std::string answer = (this->*handler->second)(command);
  return absl::StrCat(answer, answer.empty() ? "" : "\n", State());
}

std::string ScriptPlayer::State() const {
  std::vector<std::string> open;
  const std::vector<v1::GroupRecord> groups = store_->OpenGroups().value();
  for (const v1::GroupRecord& group : groups) {
    const bool has_holder = group.state() == v1::LEASED;
    open.push_back(
        absl::StrCat(group.ordinal(), group.attempt() > 0 ? absl::StrCat(" attempt ", group.attempt()) : "",
                     " ", Word(group.state()), has_holder ? " by " : "", has_holder ? group.member_id() : "",
                     group.rank() > 0 ? absl::StrCat(" for rank ", group.rank()) : ""));
  }
  std::string state = absl::StrCat("step ", *store_->CommittedSteps(), ": ",
                                   open.empty() ? "no group is open" : absl::StrJoin(open, ", "));
  const std::map<v1::RetireReason, int64_t> retired = store_->RetiredByReason().value();
  for (const auto& [reason, count] : retired)
    absl::StrAppend(&state, "; ", count, " retired for ", Word(reason));
  return state;
}

ScriptPlayer::Member& ScriptPlayer::Named(const Command& command) {
  EXPECT_FALSE(command.words.empty()) << "a member is named";
  return members_[command.words.empty() ? "nobody" : command.words[0]];
}

ScriptPlayer::Member& ScriptPlayer::Learner(const Command& command) {
  return members_[command.words.empty() ? "learner" : command.words[0]];
}

void ScriptPlayer::See(Member& member, const v1::PoolView& view) {
  if (member.role == v1::ROLE_LEARNER && member.place.learner_epoch().empty() &&
      view.learner_epoch().complete())
    member.place.set_learner_epoch(view.learner_epoch().id());
}

std::vector<v1::LeaseId> ScriptPlayer::HeldBy(const Member& member) const {
  std::vector<v1::LeaseId> held;
  for (const auto& [ordinal, lease] : member.leases) {
    if (member.works_on.at(ordinal)) held.push_back(lease.id());
  }
  return held;
}

std::string ScriptPlayer::Run(const Command& command) {
  rules_.total_steps = command.Number("steps", 3);
  rules_.groups_per_step = static_cast<int>(command.Number("groups_per_step", 1));
  rules_.max_staleness = static_cast<int>(command.Number("max_staleness", 0));
  rules_.max_failures = static_cast<int>(command.Number("max_failures", 3));
  return Restart(command);
}

std::string ScriptPlayer::Join(const Command& command) {
  Member& member = Named(command);
  const std::string& name = command.words.at(0);
  if (member.role == v1::ROLE_UNSPECIFIED)
    member.role = name[0] == 'w'   ? v1::ROLE_ROLLOUT_WORKER
                  : name[0] == 'r' ? v1::ROLE_REWARD_SERVER
                                   : v1::ROLE_LEARNER;
  v1::RegisterRequest request = Registration(name, member.role, "");
  const bool again = member.alive && member.processes > 0;
  if (!member.alive) {  // another process: it knows nothing of the one that was killed
    member.leases.clear();
    member.works_on.clear();
    member.place.clear_learner_epoch();
  }
  if (member.role == v1::ROLE_LEARNER) {
    member.place.set_rank(static_cast<int>(command.Number("rank", member.place.rank())));
    member.place.set_ranks(static_cast<int>(command.Number("ranks", member.place.ranks())));
    if (member.place.ranks() > 1) {
      if (!again) ++member.processes;
      request.set_process(absl::StrCat(name, ":", member.processes));
      request.set_again(again);
      member.place.set_rendezvous("127.0.0.1:2");
    }
    *request.mutable_learner() = member.place;
  }
  for (const v1::LeaseId& lease : HeldBy(member)) *request.add_held() = lease;
  v1::RegisterResponse response;
  if (const grpc::Status status = Register(request, &member.fence, &response); !status.ok())
    return Refused(status);
  member.alive = true;
  See(member, response.view());
  std::vector<std::string> revoked;
  for (const v1::LeaseId& lease : response.revoked()) revoked.push_back(Describe(lease));
  return revoked.empty() ? "" : absl::StrCat(name, " has no longer ", absl::StrJoin(revoked, ", "));
}

std::string ScriptPlayer::StartLearner(const Command& command) {
  const std::string name = command.words.empty() ? "learner" : command.words[0];
  if (const std::string refused = Join({.words = {name}, .options = {}}); !refused.empty()) return refused;
  const Member& learner = members_[name];
  const auto checkpoints = store_->Checkpoints().value();
  const int64_t newest = checkpoints.empty() ? 0 : checkpoints.back().step();
  const int64_t step = command.Number("step", newest);
  v1::StartTrainingRequest request;
  *request.mutable_fence() = learner.fence;
  *request.mutable_version() = Version(step);
  request.set_learner_epoch(learner.place.learner_epoch());
  v1::StartTrainingResponse response;
  const grpc::Status status = service_->StartTraining(nullptr, &request, &response);
  return status.ok() ? absl::StrCat("the learner starts after ", step, " steps") : Refused(status);
}

std::string ScriptPlayer::LeaseGroup(const Command& command) {
  Member& worker = Named(command);
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = worker.fence;
  *request.mutable_version() = Version(command.Number("version", *store_->CommittedSteps()));
  v1::LeaseGroupResponse response;
  if (const grpc::Status status = service_->LeaseGroup(nullptr, &request, &response); !status.ok())
    return Refused(status);
  if (!response.granted()) return absl::StrCat("no group; it waits for ", response.waiting_for());
  worker.leases[response.lease().id().ordinal()] = response.lease();
  worker.works_on[response.lease().id().ordinal()] = true;
  return absl::StrCat(command.words[0], " gets ", Describe(response.lease().id()),
                      response.lease().rank() > 0 ? absl::StrCat(" for rank ", response.lease().rank()) : "");
}

std::string ScriptPlayer::SubmitGroup(const Command& command) {
  Member& worker = Named(command);
  const int64_t ordinal = command.Number("ord", -1);
  v1::SubmitGroupRequest request = SubmitOf(worker.fence, worker.leases[ordinal]);
  const std::vector<std::string> rewards = absl::StrSplit(command.Option("rewards", "0,1"), ',');
  for (int slot = 0; slot < request.samples_size(); ++slot) {
    v1::SampleSummary& sample = *request.mutable_samples(slot);
    const std::string& reward = rewards.at(static_cast<size_t>(slot));
    v1::ComponentScore& score = *sample.mutable_scores(0);
    if (reward == "failed" || reward == "invalid") {
      score.set_outcome(reward == "failed" ? v1::ComponentScore::SCORER_FAILED
                                           : v1::ComponentScore::INVALID_INPUT);
    } else if (reward == "none") {
      sample.clear_scores();
    } else {
      sample.set_reward(RewardOf(reward));
      score.set_score(sample.reward());
    }
  }
  v1::SubmitGroupResponse response;
  const grpc::Status status = service_->SubmitGroup(nullptr, &request, &response);
  if (status.ok()) worker.works_on[ordinal] = false;
  if (!status.ok()) return Refused(status);
  return absl::StrCat(
      response.accepted() ? "accepted" : absl::StrCat("not used: ", Word(response.retired_reason())),
      response.repeated_submit() ? ", as it was answered before" : "");
}

std::string ScriptPlayer::ReturnGroup(const Command& command) {
  Member& worker = Named(command);
  const int64_t ordinal = command.Number("ord", -1);
  const grpc::Status status =
      Return(worker.fence, worker.leases[ordinal],
             ReasonOf<v1::ReturnReason>(command.Option("reason", "drain")), command.Option("detail", ""));
  worker.works_on[ordinal] = false;
  return status.ok() ? "" : Refused(status);
}

std::string ScriptPlayer::Forget(const Command& command) {
  Named(command).works_on[command.Number("ord", -1)] = false;
  return "";
}

std::string ScriptPlayer::Kill(const Command& command) {
  Named(command).alive = false;
  return "";
}

std::string ScriptPlayer::LeaveRun(const Command& command) {
  v1::LeaveRequest request;
  *request.mutable_fence() = Named(command).fence;
  v1::LeaveResponse response;
  const grpc::Status status = service_->Leave(nullptr, &request, &response);
  Named(command).alive = false;
  if (!status.ok()) return Refused(status);
  return service_->Done() ? "the run is over" : "";
}

void ScriptPlayer::BeatAll() {
  for (auto& [name, member] : members_) {
    if (!member.alive) continue;
    v1::HeartbeatRequest request;
    *request.mutable_fence() = member.fence;
    request.set_state("ready");
    for (const v1::LeaseId& lease : HeldBy(member)) *request.add_held() = lease;
    request.set_learner_epoch(member.place.learner_epoch());
    request.set_waiting_for(member.waiting_for);
    request.set_obstacle(member.obstacle);
    v1::HeartbeatResponse response;
    if (service_->Heartbeat(nullptr, &request, &response).ok()) See(member, response.view());
    for (const v1::LeaseId& lease : response.revoked()) member.works_on[lease.ordinal()] = false;
  }
}

std::string ScriptPlayer::Say(const Command& command) {
  Member& member = Named(command);
  member.waiting_for = absl::StrJoin(command.words.begin() + 1, command.words.end(), " ");
  member.obstacle = command.options.contains("obstacle")
                        ? ReasonOf<v1::Obstacle>(command.Option("obstacle", ""))
                        : v1::OBSTACLE_UNSPECIFIED;
  return "";
}

std::string ScriptPlayer::PassTime(const Command& command) {
  absl::Duration left;
  EXPECT_TRUE(!command.words.empty() && absl::ParseDuration(command.words[0], &left));
  for (; left > absl::ZeroDuration(); left -= absl::Seconds(1)) {
    clock_.Advance(std::min(left, absl::Seconds(1)));
    BeatAll();
    service_->Tick();
  }
  return "";
}

std::string ScriptPlayer::Assign(const Command& command) {
  const Member& learner = Learner(command);
  v1::AssignStepRequest request;
  *request.mutable_fence() = learner.fence;
  request.set_learner_epoch(learner.place.learner_epoch());
  request.set_step(*store_->CommittedSteps());
  v1::AssignStepResponse response;
  if (const grpc::Status status = service_->AssignStep(nullptr, &request, &response); !status.ok())
    return Refused(status);
  if (!response.assigned()) return absl::StrCat("no group; it waits for ", response.waiting_for());
  assigned_.clear();
  for (const v1::AssignedGroup& group : response.groups()) assigned_.push_back(group.ordinal());
  return absl::StrCat("the learner trains on ", absl::StrJoin(assigned_, ", "));
}

std::string ScriptPlayer::CommitGroups(const Command& command) {
  const Member& learner = Learner(command);
  v1::CommitStepRequest request;
  *request.mutable_fence() = learner.fence;
  request.set_learner_epoch(learner.place.learner_epoch());
  request.set_step(command.Number("step", *store_->CommittedSteps()));
  for (const int64_t ordinal : assigned_) request.add_ordinals(ordinal);
  *request.mutable_new_version() = Version(request.step() + 1);
  v1::CommitStepResponse response;
  const grpc::Status status = service_->CommitStep(nullptr, &request, &response);
  if (!status.ok()) return Refused(status);
  return response.finished() ? "that was the last step" : "";
}

std::string ScriptPlayer::SaveCheckpoint(const Command& command) {
  const grpc::Status status = Checkpoint(Learner(command).fence, *store_->CommittedSteps());
  if (!status.ok()) return Refused(status);
  return Status().finished() ? "the run has finished" : "";
}

std::string ScriptPlayer::LoseGroup(const Command& command) {
  const Member& learner = Learner(command);
  v1::ReportLostGroupsRequest request;
  *request.mutable_fence() = learner.fence;
  request.set_learner_epoch(learner.place.learner_epoch());
  v1::LostGroup& group = *request.add_groups();
  group.set_ordinal(command.Number("ord", -1));
  group.set_reason(ReasonOf<v1::RetireReason>(command.Option("reason", "trajectory_lost")));
  v1::ReportLostGroupsResponse response;
  const grpc::Status status = service_->ReportLostGroups(nullptr, &request, &response);
  return status.ok() ? "" : Refused(status);
}

std::string ScriptPlayer::Restart(const Command&) {
  Open();
  return "";
}

std::string ScriptPlayer::FillDisk(const Command&) {
  sqlite3_exec(store_->database(), "PRAGMA query_only=1", nullptr, nullptr, nullptr);
  return "";
}

std::string ScriptPlayer::FreeDisk(const Command&) {
  sqlite3_exec(store_->database(), "PRAGMA query_only=0", nullptr, nullptr, nullptr);
  return "";
}

std::string ScriptPlayer::DrainRun(const Command&) {
  service_->StartDraining("asked for");
  return "";
}

std::string ScriptPlayer::Why(const Command&) {
  if (!service_->fatal().ok()) return absl::StrCat("the run ends: ", service_->fatal().message());
  const std::string waiting = Status().waiting_for();
  const std::string blocked_on = Status().blocked_on();
  return waiting.empty() ? "nothing is missing"
                         : absl::StrCat("waiting for ", waiting, blocked_on.empty() ? "" : " [", blocked_on,
                                        blocked_on.empty() ? "" : "]");
}

std::string ScriptPlayer::NewEvents(const Command&) {
  const std::vector<EventRecord> events = store_->Events().value();
  std::vector<std::string> lines;
  for (; events_seen_ < events.size(); ++events_seen_)
    lines.push_back(absl::StrCat(events[events_seen_].kind, ": ", events[events_seen_].text));
  return absl::StrJoin(lines, "\n");
}

}  // namespace lvrpo
