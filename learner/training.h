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

// Loads it from the folders that `config` names, for one of `ranks` ranks, which computes on `device`.
// FailedPrecondition when a step cannot fit into the device's memory (PlanLearner), this machine's for a CPU;
// that is found before weights are read. Internal when the trainer fails its self-test: it would not evaluate
// samples to the log-probs with which they were drawn.
absl::StatusOr<Training> LoadTraining(const v1::RunConfig& config, int ranks, torch::Device device);

}  // namespace lvrpo
