#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "learner/trainer.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "trajectory/codec.h"

namespace lvrpo {

// What a learner trains: the run's policy in a trainer, the prompts, what groups must agree with, and the
// contract that follows from them.
struct Training {
  PromptSource prompts;
  TrajectoryRules rules;
  std::map<std::string, std::string> contract;
  std::unique_ptr<GrpoTrainer> trainer;
};

// Loads it from the folders that `config` names, for one of `ranks` ranks. FailedPrecondition when a step
// cannot fit into this machine's memory (PlanLearner); that is found before weights are read. Internal when
// the trainer fails its self-test: it would not evaluate samples to the log-probs with which they were drawn.
absl::StatusOr<Training> LoadTraining(const v1::RunConfig& config, int ranks);

}  // namespace lvrpo
