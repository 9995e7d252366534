#include "learner/shards/sharded_work.h"

#include <exception>
#include <string>

namespace lvrpo {

void ShardedWork::AddGradients(const Compute& compute) {
  std::exception_ptr thrown;
  try {
    compute();
  } catch (...) {
    thrown = std::current_exception();
  }
  models_.AddRestGradients();
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

void ShardedWork::Contexts(GroupTask task, const Compute& own) {
  models_.layers().Follow(ContextRuns(task, settings_), own);
}

void ShardedWork::Evaluate(GroupTask task, const Compute& own) {
  models_.layers().Follow(EvaluationRuns(task, settings_), own);
}

void ShardedWork::Gradients(GroupTask task, const Places& places, const Compute& own) {
  models_.gradients().BeginGroups(places);
  AddGradients([&] { models_.layers().Follow(GradientRuns(task, settings_), own); });
}

absl::Status ShardedWork::Finish(const std::vector<int>& owners) {
  return models_.gradients().Finish(owners.size());
}

void ShardedWork::Alone(GroupTask task, int, const Compute& own) {
  Clear();
  Gradients(task, {}, own);
  const absl::Status finished = Finish({});
  TORCH_CHECK(finished.ok(), std::string(finished.message()));
}

void ShardedWork::Together(const Compute& work) {
  Clear();
  models_.gradients().BeginGroups({});
  AddGradients(work);
  const absl::Status finished = Finish({});
  TORCH_CHECK(finished.ok(), std::string(finished.message()));
}

void ShardedWork::Clear() {
  models_.gradients().Clear();
  models_.ClearRestGradients();
}

}  // namespace lvrpo
