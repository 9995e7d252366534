#pragma once

#include <vector>

#include "learner/shards/sharded_models.h"
#include "learner/step/group_work.h"

namespace lvrpo {

// Groups of ShardedModels. All ranks follow the plan of each group's passes; parameters are this rank's
// parts.
class ShardedWork final : public GroupWork {
 public:
  // Both must outlive it.
  ShardedWork(ShardedModels& models, const ObjectiveSettings& settings)
      : models_(models), settings_(settings) {}

  void Contexts(GroupTask task, const Compute& own) override;
  void Evaluate(GroupTask task, const Compute& own) override;
  void Gradients(GroupTask task, const Places& places, const Compute& own) override;
  absl::Status Finish(const std::vector<int>& owners) override;
  void Alone(GroupTask task, int owner, const Compute& own) override;
  void Together(const Compute& work) override;
  void Clear() override;

 private:
  // Also when `compute` throws: the other ranks add theirs.
  void AddGradients(const Compute& compute);

  ShardedModels& models_;
  const ObjectiveSettings& settings_;
};

}  // namespace lvrpo
