#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"
#include "reward_server/scoring/scoring.h"
#include "reward_server/scoring/scoring_pool.h"

namespace lvrpo {

// The reward server's RPCs: validates requests, queues them, counts outcomes. All arguments must outlive it.
class RewardService final : public v1::Reward::Service {
 public:
  RewardService(ScorerSet& scorers, ScoringPool& pool, absl::Duration deadline, Clock& clock,
                Metrics& metrics)
      : scorers_(scorers), pool_(pool), deadline_(deadline), clock_(clock), metrics_(metrics) {}

  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override;
  grpc::Status GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*,
                       v1::GetInfoResponse* response) override;

 private:
  void Count(const v1::ComponentScore& score);
  // Concurrency is limited: a decoded request may be far larger than its bytes.
  absl::StatusOr<ScoringGroup> Decode(const v1::ScoreRequest& request);
  absl::Status Answer(absl::Time deadline, const v1::ScoreRequest& request, v1::ScoreResponse& response);

  ScorerSet& scorers_;
  ScoringPool& pool_;
  const absl::Duration deadline_;
  Clock& clock_;
  Metrics& metrics_;
  absl::Mutex mutex_;
  int decoding_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lvrpo
