#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/telemetry/metrics.h"
#include "tests/testing/cluster_messages.h"
#include "tests/testing/cluster_world.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/turns.h"

namespace lvrpo {

// A strict run of three steps of two groups in this process: the real coordinator over its store, two
// workers, a reward server and the ranks of a learner, which take turns (turns.h). Everything but the
// weights, the samples and the way of the messages is the product's; what stands in for the rest is said in
// cluster_*.h. The same seed and faults give the same messages in the same order.
class InProcessCluster {
 public:
  static constexpr int64_t kSteps = 3;
  static std::vector<std::string> Roles(int ranks = 1);

  // `order_seed`: of whose turn it is. The samples are the same whatever it is. `ranks`: of the learner.
  InProcessCluster(uint64_t order_seed, Faults faults, int ranks = 1);
  ~InProcessCluster();

  struct Outcome {
    std::string trouble;  // why it did not end as it should; empty: it has finished, and the audit holds
    std::string digest;   // of the steps' weights and ordinals
    absl::Duration took;  // of the fake clock
    std::vector<ClusterMessages::Sent> sent;
  };
  // To the run's end, or until that takes too long. Processes that end with an error are started again, and
  // all of them when a run that was drained has ended.
  Outcome Run();

 private:
  void Start(const std::string& role);
  void StartAgain(const std::string& role, absl::Duration later);
  void StartAll();
  void EndAll();
  void Kill(const KillAt& kill);
  void Drain();
  v1::GetStatusResponse Status() const;
  void OpenCoordinator();
  void Tick();
  absl::Status RunProcess(const ClusterProcess& process);
  std::string Broken() const;
  std::string Digest() const;

  const int ranks_;
  const TemporaryFolder folder_;
  FakeClock clock_;
  Metrics metrics_;
  Turns turns_;
  ClusterMessages messages_;
  ClusterWorld world_;
  std::map<std::string, int> processes_;  // by role: how many there were
  std::map<std::string, bool> alive_;
  std::vector<std::string> errors_;
};

}  // namespace lvrpo
