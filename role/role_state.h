#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace lvrpo {

// What a process does, from its start to its end: the same for all roles. `lvrpo_role_state` has it, and
// /readyz says why it is not ready.
enum class RolePhase {
  kLoading,   // models, scorers, records
  kJoining,   // it waits for the run
  kServing,   // ready
  kLost,      // its coordinator has not answered for a while
  kUnwell,    // something of its own keeps it from its work
  kDraining,  // the run drains
  kLeaving,   // it was told to leave
  kFinished,  // the run is over
};
inline constexpr RolePhase kRolePhases[] = {RolePhase::kLoading, RolePhase::kJoining, RolePhase::kServing,
                                            RolePhase::kLost,    RolePhase::kUnwell,  RolePhase::kDraining,
                                            RolePhase::kLeaving, RolePhase::kFinished};

struct RoleFacts {
  std::string loading = {};    // what it loads, in words; empty: nothing any more
  std::string waits_for = {};  // before it has joined
  bool joins = true;           // false: it needs no run
  bool joined = false;
  absl::Duration silence = {};              // of its coordinator, once joined
  bool draining = false, finished = false;  // the run
  bool told = false;                        // to leave
  std::string trouble = {};                 // of its own
  bool serves_to_the_end = false;  // ready also while the run drains and when it is over: the coordinator
};

// How long a coordinator may be silent before a member says that it has lost it.
inline constexpr absl::Duration kOrdinarySilence = absl::Seconds(3);

// Pure.
RolePhase PhaseOf(const RoleFacts& facts);
// "loading the model", "joining: waits for the coordinator at host:7070, which does not answer"; empty when
// it is ready.
std::string NotReady(const RoleFacts& facts);
// "loading", "joining", ...
std::string WordOf(RolePhase phase);

// The facts of one process, as its parts report them. Thread-safe.
class RoleState {
 public:
  // How the run that it has joined stands.
  struct Sight {
    absl::Duration silence = {};
    bool draining = false, finished = false;
  };

  // What it loads from now on; empty: it is loaded.
  void SetLoading(std::string what);
  // What it waits for before it has joined.
  void SetWaiting(std::string what);
  void SetJoins(bool joins);
  // It has joined, and asks `sight` how the run stands; null: not any more. Returns when nobody is in
  // `sight`.
  void Follow(std::function<Sight()> sight);
  // Asked for its own trouble, empty while there is none; null: never. As Follow().
  void SetTrouble(std::function<std::string()> trouble);
  // Whether it was told to leave. As Follow().
  void SetTold(std::function<bool()> told);
  void ServeToTheEnd();
  // The run is over.
  void Finish();

  RoleFacts facts() const;

 private:
  mutable absl::Mutex mutex_;
  RoleFacts fixed_ ABSL_GUARDED_BY(mutex_) = {.loading = "the program"};
  std::function<Sight()> sight_ ABSL_GUARDED_BY(mutex_);
  std::function<std::string()> trouble_ ABSL_GUARDED_BY(mutex_);
  std::function<bool()> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
