#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/config/config_reader.h"
#include "model/kernels/fused_ops.h"

namespace lvrpo {

// One of OWLv2's two towers. The defaults are the vision tower's.
struct Owlv2TowerConfig {
  int64_t width = 768, layers = 12, heads = 12, mlp = 3072;
  double eps = 1e-5;
  Activation gelu = Activation::kQuickGelu;
};

// Settings of an OWLv2 detector (config.json of transformers' Owlv2ForObjectDetection). Published files are
// sparse: an absent key has the default given here.
struct Owlv2Config {
  Owlv2TowerConfig vision, text = {.width = 512, .heads = 8, .mlp = 2048};
  int64_t image_size = 768, patch_size = 16;     // pixels
  int64_t vocabulary = 49408, text_length = 16;  // tokens of a query
  int64_t projection = 512;                      // width of the space of queries and boxes

  int64_t grid() const { return image_size / patch_size; }  // patches a side
  int64_t patches() const { return grid() * grid(); }       // N

  // InvalidArgument names every setting that is of a wrong type, out of range or not supported, and the
  // model's type when it is another one.
  static absl::StatusOr<Owlv2Config> FromJson(const nlohmann::json& json, const std::string& source);
  // What is inconsistent among the sizes, "" when nothing is.
  std::string SizeProblem() const;
  nlohmann::json ToJson() const;  // the published form
};

}  // namespace lvrpo
