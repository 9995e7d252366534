#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collectives/nccl_communicator.h"
#include "common/telemetry/metrics.h"
#include "weight_plane/gang/gang_desk.h"
#include "weight_plane/gang/gang_end.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// The learner's side of the gang: broadcasts each published version to the workers that ask for it, on a
// separate thread, so that training waits for no worker. Whoever is not served fetches what `others`
// publishes. Before the first version the gang is measured (the preflight), when workers ask for that. After
// Options::most_failures broadcasts that failed one after the other there is none any more. Thread-safe.
class GangRoot final : public WeightPublisher {
 public:
  struct Options {
    v1::GangMember self;                // for the topology
    absl::Duration whole;               // what a broadcast may take
    int64_t chunk_bytes = 4 << 20;      // at most kMostChunkBytes
    int64_t measured_bytes = 32 << 20;  // of the preflight
    int most_failures = kMostGangFailures;
  };
  // All must outlive it; `desk` is closed when it ends.
  GangRoot(const Options& options, const NcclPlace& place, GangDesk& desk, WeightPublisher& others,
           Metrics& metrics);
  // Ends a broadcast in progress.
  ~GangRoot() override;

  void Publish(std::shared_ptr<const PackedWeights> weights) override;

 private:
  void Work();
  void Run(const GangStart& start);
  absl::Status Broadcast(const GangStart& start, const GangForm& form);
  // Gives the members their plans, and returns the root's.
  absl::StatusOr<v1::GangPlan> Plan(const GangForm& form, bool measure);
  absl::Status Measure(const GangForm& form);
  absl::Status Send(const std::shared_ptr<const PackedWeights>& weights);
  // After a broadcast that failed.
  void Note(const GangStart& start, const GangForm& form, const absl::Status& status,
            const std::vector<std::string>& not_taken);

  const Options options_;
  EndableClock clock_;
  NcclPlace place_;
  GangDesk& desk_;
  WeightPublisher& others_;
  Metrics& metrics_;
  // Of the thread.
  NcclMeans means_;
  RootGang gang_;
  GangEnd end_;
  int failures_ = 0;  // in a row
  std::thread thread_;
};

// Who is in the gang and where, a line each; `reaches`: whether the root's GPU accesses that of rank i + 1
// directly, in words. Pure.
std::vector<std::string> TopologyInWords(const v1::GangMember& root, const std::vector<GangAsk>& ranks,
                                         const std::vector<std::string>& reaches);
}  // namespace lvrpo
