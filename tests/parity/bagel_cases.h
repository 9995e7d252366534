#pragma once

#include <string>
#include <vector>

#include "model/bagel.h"
#include "tests/parity/parity.h"

// Inputs of the ops of the family `bagel`.
namespace lvrpo::parity {

inline absl::StatusOr<Bagel> LoadModel(const Case& c) { return LoadModelOf<Bagel>(c); }

inline std::vector<int32_t> Ids(const torch::Tensor& tensor) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tensor.numel(); ++i) ids.push_back(static_cast<int32_t>(tensor[i].item<int64_t>()));
  return ids;
}

// Cases hold prompts with their <|im_start|> and <|im_end|>; absent = an empty context.
inline KvCache Context(const Bagel& model, const Case& c, const std::string& name) {
  KvCache cache;
  const auto ids = c.inputs.find(name);
  if (ids != c.inputs.end()) model.AppendTokens(cache, ids->second.to(torch::kInt64).unsqueeze(0));
  return cache;
}

inline absl::StatusOr<GuidanceOptions> Guidance(const nlohmann::json& params) {
  GuidanceOptions guidance;
  guidance.text_scale = params.value("cfg_text_scale", 1.0);
  guidance.image_scale = params.value("cfg_img_scale", 1.0);
  if (params.contains("cfg_interval")) {
    guidance.interval_low = params["cfg_interval"][0];
    guidance.interval_high = params["cfg_interval"][1];
  }
  const std::string renorm = params.value("renorm_type", "global");
  if (renorm == "global") {
    guidance.renorm = GuidanceOptions::Renorm::kGlobal;
  } else if (renorm == "channel") {
    guidance.renorm = GuidanceOptions::Renorm::kChannel;
  } else if (renorm == "text_channel") {
    guidance.renorm = GuidanceOptions::Renorm::kTextChannel;
  } else {
    return absl::InvalidArgumentError("unknown renorm_type " + renorm);
  }
  guidance.renorm_min = params.value("renorm_min", 0.0);
  return guidance;
}

}  // namespace lvrpo::parity
