#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/weight_gang.pb.h"
#include "weight_plane/gang/gang_round.h"
#include "weight_plane/packed_weights.h"

namespace lvrpo {

// A broadcast that may begin: its members wait for plans.
struct GangStart {
  std::shared_ptr<const PackedWeights> weights;  // null: a measurement
  std::vector<GangAsk> there;                    // not empty
  std::vector<std::string> late;
};

// Where workers ask for a place in a broadcast, and the learner's thread learns when to begin. One broadcast
// runs at a time; while it does, workers gather for the next. Time passes here only by asks: while nobody
// asks nothing begins. Thread-safe.
class GangDesk {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(5);  // weights.gather_seconds
    absl::Duration silence = absl::Seconds(2);   // who has not asked for longer is gone
    // Machine that all must be on: NCCL encrypts nothing on its way to another. Empty: any.
    std::string only_host = {};
  };
  explicit GangDesk(const Options& options, Clock& clock = RealClock()) : options_(options), clock_(clock) {}

  // The learner has joined its run: asks must be of the run and the epoch that `fence` says, which is called
  // for each. Before, workers are told to wait.
  void Open(std::function<v1::Fence()> fence);
  // The version that is broadcast next, to those that ask for it. One that nobody has begun to take is given
  // up.
  void Offer(std::shared_ptr<const PackedWeights> weights);

  // Answers at once. InvalidArgument: no such request can be right. FailedPrecondition: of another run.
  absl::StatusOr<v1::AskGangResponse> Ask(const v1::AskGangRequest& request);

  // For the thread that broadcasts. Blocks until a broadcast begins; nullopt after Close(). Then either
  // Issue() gives the members' plans, in the order of `there`, or the broadcast has failed: End(). From then
  // on the members fetch, and those that asked for the next are looked at.
  std::optional<GangStart> AwaitStart();
  void Issue(const std::vector<v1::GangPlan>& plans);
  // Returns the members that never took their plan.
  std::vector<std::string> End();
  // No broadcast ever again: `why` for the members.
  void Close(const std::string& why);

 private:
  struct Round {
    std::shared_ptr<const PackedWeights> weights;
    std::map<std::string, GangAsk> asks;  // by member id
  };
  struct Place {
    GangWorker worker;
    std::optional<v1::GangPlan> plan = std::nullopt;
    bool taken = false;
  };
  struct Running {
    Running() {}  // NOLINT: clang knows the default of `begun` too late for an aggregate in std::optional
    GangStart start;
    bool begun = false;  // the thread has it
    std::vector<Place> places;
  };

  v1::AskGangResponse Answer(const v1::AskGangRequest& request, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The answer to whoever has a place in the broadcast that runs.
  std::optional<v1::AskGangResponse> OfRunning(const GangWorker& worker, const v1::AskGangRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The round that a request is for; null: none, and `why`.
  Round* RoundFor(const v1::AskGangRequest& request, std::string& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Expect(const std::string& member_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TryStart(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TryStart(std::optional<Round>& round, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Clock& clock_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::function<v1::Fence()> fence_ ABSL_GUARDED_BY(mutex_);  // null: the run is not known yet
  std::string closed_ ABSL_GUARDED_BY(mutex_);                // why; empty: it is open
  std::set<std::string> expected_ ABSL_GUARDED_BY(mutex_);    // in the next broadcast
  bool has_begun_ ABSL_GUARDED_BY(mutex_) = false;            // a broadcast, before
  std::optional<Round> measurement_ ABSL_GUARDED_BY(mutex_), version_ ABSL_GUARDED_BY(mutex_);
  std::optional<Running> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
