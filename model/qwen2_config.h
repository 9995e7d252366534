#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/config/config_reader.h"

namespace lvrpo {

// Settings of a Qwen2 or Qwen2.5 language model (config.json of transformers' Qwen2ForCausalLM), the body of
// BAGEL's language model too.
struct Qwen2Config {
  int64_t hidden = 0, mlp = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0;
  double rms_eps = 1e-6, rope_theta = 1e4;
  bool tied = false;  // the head is the embedding table

  int64_t head_dim() const { return hidden / heads; }

  // Reads the JSON's settings and reports every one that is not supported:
  // another activation, RoPE scaling, sliding windows, quantised weights. The rotary base may be
  // rope_theta, or rope_parameters.rope_theta as transformers 5 does.
  void ReadFrom(ConfigReader& reader);
  // What is inconsistent among the sizes, "" when nothing is.
  std::string SizeProblem() const;

  // InvalidArgument names every setting that is missing, of a wrong type, out of range or not supported, and
  // the model's type when it is another one.
  static absl::StatusOr<Qwen2Config> FromJson(const nlohmann::json& json, const std::string& source);
  nlohmann::json ToJson() const;  // the published form
};

}  // namespace lvrpo
