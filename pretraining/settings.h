#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"
#include "model/config/router_config.h"
#include "pretraining/trainer.h"
#include "proto/lvrpo/v1/pretraining.pb.h"

namespace lvrpo {

// Settings of the pre-training commands; what each means: proto/lvrpo/v1/pretraining.proto. `Settings` is
// v1::PretrainAutoencoder, v1::PretrainReferee, v1::PretrainPolicy or v1::PretrainPrompts.

// The recipe of the embedded default, without its folders.
template <typename Settings>
Settings DefaultSettings();
template <>
v1::PretrainAutoencoder DefaultSettings();
template <>
v1::PretrainReferee DefaultSettings();
template <>
v1::PretrainPolicy DefaultSettings();
template <>
v1::PretrainPrompts DefaultSettings();

// The routing of the policy that these settings make.
RouterConfig RouterOf(const v1::PretrainPolicy& settings);

// Defaults, then the YAML file (none when `path` is empty), then `overrides`. As strict as LoadRunConfig:
// InvalidArgument holds every error, one a line.
template <typename Settings>
absl::StatusOr<Settings> LoadSettings(const std::string& path, const std::vector<ConfigOverride>& overrides);

// Dotted path of each setting -> its value.
std::map<std::string, std::string> FlatSettings(const google::protobuf::Message& settings);

// The settings that decide the numbers of a training run, to the last bit: all except paths, how often
// something is written, and what is scored during training.
std::map<std::string, std::string> DecidingSettings(const google::protobuf::Message& settings);

// Options of the trainer: `settings.train()`, and DecidingSettings() for its checkpoints.
template <typename Settings>
TrainerOptions TrainerOptionsFor(const Settings& settings, bool resume) {
  const v1::PretrainLoop& loop = settings.train();
  return {.steps = loop.steps(),
          .checkpoint_every = loop.checkpoint_every(),
          .report_every = loop.report_every(),
          .checkpoint = loop.checkpoint(),
          .resume = resume,
          .ema_decay = loop.ema_decay(),
          .optimizer = {.learning_rate = loop.learning_rate(),
                        .weight_decay = loop.weight_decay(),
                        .warmup_steps = loop.warmup_steps(),
                        .total_steps = loop.steps(),
                        .cosine_floor = loop.cosine_floor(),
                        .gradient_clip = loop.gradient_clip()},
          .settings = DecidingSettings(settings)};
}

}  // namespace lvrpo
