#include "role/role_state.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace lvrpo {

RolePhase PhaseOf(const RoleFacts& facts) {
  if (facts.finished) return RolePhase::kFinished;
  if (facts.told) return RolePhase::kLeaving;
  if (facts.draining) return RolePhase::kDraining;
  if (!facts.loading.empty()) return RolePhase::kLoading;
  if (facts.joins && !facts.joined) return RolePhase::kJoining;
  if (facts.joined && facts.silence > kOrdinarySilence) return RolePhase::kLost;
  return facts.trouble.empty() ? RolePhase::kServing : RolePhase::kUnwell;
}

std::string NotReady(const RoleFacts& facts) {
  switch (PhaseOf(facts)) {
    case RolePhase::kServing:
      return "";
    case RolePhase::kFinished:
      return facts.serves_to_the_end ? "" : "finished";
    case RolePhase::kDraining:
      return facts.serves_to_the_end ? "" : "draining";
    case RolePhase::kLeaving:
      return "leaving";
    case RolePhase::kLoading:
      return absl::StrCat("loading ", facts.loading);
    case RolePhase::kJoining:
      return absl::StrCat("joining", facts.waits_for.empty() ? "" : ": waits for ", facts.waits_for);
    case RolePhase::kLost:
      return absl::StrCat("lost its coordinator for ",
                          absl::FormatDuration(absl::Trunc(facts.silence, absl::Seconds(1))));
    case RolePhase::kUnwell:
      return facts.trouble;
  }
  return "";
}

std::string WordOf(RolePhase phase) {
  switch (phase) {
    case RolePhase::kLoading:
      return "loading";
    case RolePhase::kJoining:
      return "joining";
    case RolePhase::kServing:
      return "serving";
    case RolePhase::kLost:
      return "lost_coordinator";
    case RolePhase::kUnwell:
      return "unwell";
    case RolePhase::kDraining:
      return "draining";
    case RolePhase::kLeaving:
      return "leaving";
    case RolePhase::kFinished:
      return "finished";
  }
  return "";
}

void RoleState::SetLoading(std::string what) {
  absl::MutexLock lock(&mutex_);
  fixed_.loading = std::move(what);
}

void RoleState::SetWaiting(std::string what) {
  absl::MutexLock lock(&mutex_);
  fixed_.waits_for = std::move(what);
}

void RoleState::SetJoins(bool joins) {
  absl::MutexLock lock(&mutex_);
  fixed_.joins = joins;
}

void RoleState::Follow(std::function<Sight()> sight) {
  absl::MutexLock lock(&mutex_);
  sight_ = std::move(sight);
}

void RoleState::SetTrouble(std::function<std::string()> trouble) {
  absl::MutexLock lock(&mutex_);
  trouble_ = std::move(trouble);
}

void RoleState::SetTold(std::function<bool()> told) {
  absl::MutexLock lock(&mutex_);
  told_ = std::move(told);
}

void RoleState::ServeToTheEnd() {
  absl::MutexLock lock(&mutex_);
  fixed_.serves_to_the_end = true;
}

void RoleState::Finish() {
  absl::MutexLock lock(&mutex_);
  fixed_.finished = true;
}

RoleFacts RoleState::facts() const {
  absl::MutexLock lock(&mutex_);
  RoleFacts facts = fixed_;
  if (trouble_) facts.trouble = trouble_();
  if (told_) facts.told = told_();
  if (!sight_) return facts;
  const Sight sight = sight_();
  facts.joined = true;
  facts.silence = sight.silence;
  facts.draining = sight.draining;
  facts.finished = facts.finished || sight.finished;
  return facts;
}

}  // namespace lvrpo
