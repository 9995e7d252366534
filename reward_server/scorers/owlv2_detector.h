#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "data/tokenizer/tokenizer.h"
#include "data/transforms/owlv2_transform.h"
#include "model/owlv2.h"
#include "reward_server/scoring/detector.h"

namespace lvrpo {

// A frozen OWLv2 as a detector: queries "a photo of a {class}" for every requested class, and assigns each
// patch's box to its likeliest class, so that classes in one request compete.
class Owlv2Detector : public ObjectDetector {
 public:
  struct Options {
    double threshold = 0.1;  // detections of a lower score are dropped
    // Thresholds for rules, and for rules with exact_count. OWLv2's scores are far below those that GenEval's
    // thresholds were chosen for.
    double rule_score = 0.2, rule_counting_score = 0.3;
    double most_overlap = 0.5;  // non-maximum suppression: intersection over union
    int64_t batch = 8;          // images per forward
    PixelNorm norm = Owlv2Transform().norm;
  };

  // From a published folder with its tokenizer; `norm` is set from its image processor's settings, if
  // present. Errors name the file.
  static absl::StatusOr<std::unique_ptr<Owlv2Detector>> Load(const std::string& folder, Options options,
                                                             torch::Device device = torch::kCPU);
  Owlv2Detector(Owlv2 model, std::unique_ptr<Tokenizer> tokenizer, const Options& options);

  std::string digest() const override { return digest_; }
  DetectionThresholds thresholds() const override {
    return {.score = options_.rule_score, .counting_score = options_.rule_counting_score};
  }
  // InvalidArgument for more than 64 classes, and for one that the tokenizer cannot encode.
  absl::StatusOr<std::vector<std::vector<Detection>>> Detect(
      const std::vector<RgbImage>& images, const std::vector<std::string>& classes) override;

 private:
  absl::StatusOr<Owlv2Queries> QueriesFor(const std::vector<std::string>& classes);

  const Owlv2 model_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const Options options_;
  const std::string digest_;
  absl::flat_hash_map<std::string, torch::Tensor> embeds_;  // of classes seen before, [P]
};

}  // namespace lvrpo
