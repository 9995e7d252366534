#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "learner/step/objective.h"

namespace lvrpo {

// How the ranks of a learner compute the groups of a step. Some of their work they may have to do together,
// so all ranks make the same calls in the same order: each with `own`, which computes a group that this rank
// has, or null when it has none at that turn. What `own` throws is thrown, once all have taken part.
//
// Parameters are what the optimizers train (TaskOptimizers); backward passes add to their gradients.
// Not thread-safe.
class GroupWork {
 public:
  using Compute = std::function<void()>;
  // By rank: the place, in the update, of the group that it computes; nullopt: none.
  using Places = std::vector<std::optional<size_t>>;
  virtual ~GroupWork() = default;

  // Makes a group's objective.
  virtual void Contexts(GroupTask task, const Compute& own) = 0;
  // Evaluates the policy on a group as Gradients() does, without gradients.
  virtual void Evaluate(GroupTask task, const Compute& own) = 0;
  // Adds the gradients of the groups at `places`.
  virtual void Gradients(GroupTask task, const Places& places, const Compute& own) = 0;
  // Replaces the parameters' gradients by the sum over all groups and ranks since the last call. `owners`:
  // the rank that has the group, by its place. Parameters without a gradient on any rank keep none. Errors of
  // StepRanks.
  virtual absl::Status Finish(const std::vector<int>& owners) = 0;
  // The gradients of one group alone, of rank `owner`: they replace the parameters' on the ranks that this
  // tells of them.
  virtual void Alone(GroupTask task, int owner, const Compute& own) = 0;
  // What all ranks compute alike, with samples of the policy itself: its gradients replace the parameters'.
  virtual void Together(const Compute& work) = 0;
  // Forgets all gradients that Finish() has not taken.
  virtual void Clear() = 0;
};

}  // namespace lvrpo
