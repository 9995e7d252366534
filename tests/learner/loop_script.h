#pragma once

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "learner/loop.h"
#include "weight_plane/kept_versions.h"

// What a LearnerLoop of a test talks to.
namespace lvrpo {

// Keeps what is published.
class Shelf final : public WeightPublisher {
 public:
  void Publish(std::shared_ptr<const PackedWeights> weights) override { kept.Keep(std::move(weights)); }
  KeptVersions kept{2};
};

// The coordinator's side: assigns the same groups until they are committed or given up, then what comes next.
struct Script {
  LearnerLoop::Session Session() {
    return {.start_training =
                [this](const v1::StartTrainingRequest& request) -> absl::StatusOr<v1::StartTrainingResponse> {
              absl::MutexLock lock(&mutex);
              started_at.push_back(request.version().number());
              return v1::StartTrainingResponse();
            },
            .assign_step = [this](const v1::AssignStepRequest& request) { return Assign(request); },
            .commit_step = [this](const v1::CommitStepRequest& request) { return Commit(request); },
            .record_checkpoint = [this](const v1::RecordCheckpointRequest& request)
                -> absl::StatusOr<v1::RecordCheckpointResponse> {
              absl::MutexLock lock(&mutex);
              v1::CheckpointRecord record;
              record.set_step(request.step());
              record.set_path(request.path());
              record.set_digest(request.digest());
              if (!record_error.ok()) return record_error;
              checkpoints.insert(checkpoints.begin(), record);
              return v1::RecordCheckpointResponse();
            },
            .report_lost_groups = [this](const v1::ReportLostGroupsRequest& request)
                -> absl::StatusOr<v1::ReportLostGroupsResponse> {
              absl::MutexLock lock(&mutex);
              lost_groups.push_back(request);
              steps.pop_front();
              return v1::ReportLostGroupsResponse();
            },
            .view =
                [this] {
                  absl::MutexLock lock(&mutex);
                  return view;
                },
            .lost = [this] { return lost; }};
  }
  absl::StatusOr<v1::AssignStepResponse> Assign(const v1::AssignStepRequest& request) {
    absl::MutexLock lock(&mutex);
    if (!assign_errors.empty()) {
      const absl::Status error = assign_errors.front();
      assign_errors.pop_front();
      return error;
    }
    asked_for.push_back(request.step());
    v1::AssignStepResponse response;
    response.set_assigned(!steps.empty());
    response.set_waiting_for("more groups");
    response.set_retry_after_seconds(0.25);
    if (!steps.empty()) *response.mutable_groups() = {steps.front().begin(), steps.front().end()};
    return response;
  }
  absl::StatusOr<v1::CommitStepResponse> Commit(const v1::CommitStepRequest& request) {
    absl::MutexLock lock(&mutex);
    if (!commit_error.ok() && commits.size() >= commits_before_error) return commit_error;
    commits.push_back(request);
    steps.pop_front();
    v1::CommitStepResponse response;
    response.set_lowest_open_ordinal(request.ordinals(request.ordinals_size() - 1) + 1);
    response.set_finished(request.new_version().number() == total_steps);
    return response;
  }

  absl::Mutex mutex;  // for loops of several ranks, in threads
  int64_t total_steps = 2;
  std::deque<std::vector<v1::AssignedGroup>> steps;  // to come
  std::deque<absl::Status> assign_errors;
  absl::Status commit_error, record_error, lost;
  size_t commits_before_error = 0;
  v1::PoolView view;
  std::vector<int64_t> started_at, asked_for;
  std::vector<v1::CommitStepRequest> commits;
  std::vector<v1::ReportLostGroupsRequest> lost_groups;
  std::vector<v1::CheckpointRecord> checkpoints;  // newest first
};

}  // namespace lvrpo
