#include "learner/ranks/rank_meeting.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/ranks/step_agreement.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(50);  // between two looks

}  // namespace

absl::StatusOr<JoinedEpoch> MeetRanks(int rank, const RankTransport& transport, const MeetingCalls& calls,
                                      const Waiting& waiting) {
  while (true) {
    if (absl::Status lost = calls.lost(); !lost.ok()) return lost;
    const v1::PoolView view = calls.view();
    if (calls.stop() || view.draining() || view.finished())
      return absl::CancelledError("stopped while ranks were missing");
    const v1::LearnerEpoch& epoch = view.learner_epoch();
    if (!epoch.complete()) {
      waiting.sleep(kPause);
      continue;
    }
    if (epoch.ranks() == 1) return JoinedEpoch{.epoch = epoch, .collectives = nullptr};
    absl::StatusOr<std::unique_ptr<Collectives>> connected = transport.connect(epoch, rank);
    if (connected.ok()) {
      spdlog::info("rank {} of {}, connected by {}", rank, epoch.ranks(), std::string((*connected)->name()));
      return JoinedEpoch{.epoch = epoch, .collectives = *std::move(connected)};
    }
    if (calls.view().learner_epoch().id() == epoch.id()) {
      return absl::AbortedError(absl::StrCat("the ranks of the learner could not be connected: ",
                                             connected.status().message(), "; this one starts again"));
    }
    spdlog::warn("ranks have changed while they were connected: {}",
                 std::string(connected.status().message()));
  }
}

EpochWatch::EpochWatch(v1::LearnerEpoch own, Calls calls)
    : own_(std::move(own)), calls_(std::move(calls)), thread_([this] { Watch(); }) {}

EpochWatch::~EpochWatch() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

void EpochWatch::Watch() {
  int64_t seen = 0;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (ending_) return;
    }
    if (absl::Status over = CheckOwnEpoch(own_, calls_.view().learner_epoch()); !over.ok())
      return calls_.over(over);
    seen = calls_.next_view(seen);
  }
}

}  // namespace lvrpo
