#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "data/image/image.h"
#include "evaluation/summary.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// One image's line of all.jsonl.
nlohmann::json ImageLine(const ImageJudgement& judgement);

// Writes the first images of each kind to a folder and lists them. Files are numbered; ids appear in the list
// only. Not thread-safe.
class SampleWriter {
 public:
  SampleWriter(std::string folder, int per_kind) : folder_(std::move(folder)), per_kind_(per_kind) {}

  // Errors of WritePng.
  absl::Status Add(const ImageJudgement& judgement, const RgbImage& image);

  // samples.json: ImageLine of each picture with "prompt", "image" (its file) and "detected".
  const nlohmann::json& samples() const { return samples_; }

 private:
  const std::string folder_;
  const int per_kind_;
  std::map<std::string, int> taken_;
  nlohmann::json samples_ = nlohmann::json::array();
};

}  // namespace lvrpo
