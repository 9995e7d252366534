#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "collectives/measured.h"
#include "common/executor.h"
#include "common/files/file_lock.h"
#include "common/flags/role_flags.h"
#include "common/net/call_watch.h"
#include "common/shutdown.h"
#include "learner/checkpoints/checkpoint_store.h"
#include "learner/checkpoints/checkpoint_uploads.h"
#include "learner/inbox_service.h"
#include "learner/loop.h"
#include "learner/ranks/rank_meeting.h"
#include "learner/spool.h"
#include "learner/training.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "role/role_process.h"
#include "weight_plane/gang/learner_gang.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {

// A process of a learner, one of its ranks: the inbox and the weights that it serves, and the loop that
// trains.
class LearnerProcess {
 public:
  // All but `transport`, which several ranks need, must outlive it.
  LearnerProcess(const RoleFlags& flags, const v1::RunConfig& config, Training& training,
                 ShutdownSignal& shutdown, RankTransport transport, RoleHealth& health);

  // Joins the run, trains until it has finished, drains or `shutdown` is requested, and leaves. Errors of
  // LearnerLoop; Aborted when a signal stopped it, or another rank, before the run's end (EndingOf,
  // role/ending.h).
  absl::Status Run();

 private:
  // All of Run() but the last word. Cancelled: a signal stopped it before it trained.
  absl::Status Work();
  // Waits for the run folder, which a coordinator started at the same time makes in a moment, and locks it.
  absl::StatusOr<FileLock> TakeRunFolder() const;
  absl::Status Join();
  absl::StatusOr<v1::LearnerPlace> OpenPlace();
  // Meets the other ranks, and trains with them.
  absl::Status Train();
  absl::Status TrainTogether();
  // On the watch's thread: ends what waits for ranks that are gone, and the process when that cannot be
  // ended.
  void LeaveEpoch(const absl::Status& why);
  Waiting StoreWaiting();
  std::unique_ptr<CheckpointUploads> MakeUploads();
  // Waits for a checkpoint that is being written, and stops an upload.
  void EndBackground();
  LearnerLoop::Session LoopSession();
  MemberSession::Report Report() const;
  OpenLeases Leases() const;

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  Training& training_;
  ShutdownSignal& shutdown_;
  const RankTransport transport_;
  RoleHealth& health_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::string epoch_ ABSL_GUARDED_BY(mutex_);  // id of the one that it has joined
  BlockedSince blocked_;                       // by other ranks
  JoinedEpoch joined_;                         // outlives the loop
  bool complete_ = false, drained_ = false;    // the run, when training ended; for the thread of Run()
  absl::Notification trained_;
  Spool spool_;
  CallWatch uploads_, greetings_, downloads_;
  WeightService weights_;
  LearnerGang gang_;
  InboxService inbox_;
  absl::Notification leaving_;                                    // ends uploads, and the waits between them
  const absl::StatusOr<std::unique_ptr<CheckpointStore>> store_;  // null: there is none
  ThreadExecutor writing_, uploading_;                            // of checkpoints
  const std::unique_ptr<CheckpointUploads> copies_;
  LearnerLoop loop_;
  std::unique_ptr<RoleProcess> process_;  // its threads use all of the above: destroyed first
};

}  // namespace lvrpo
