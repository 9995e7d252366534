#include "reward_server/scorers/owlv2_detector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "data/transforms/owlv2_transform.h"
#include "data/transforms/query_boxes.h"
#include "model/weights/moved.h"
#include "reward_server/scorers/image_processor.h"

namespace lvrpo {
namespace {

constexpr size_t kMostClasses = 64;
constexpr size_t kMostRemembered = 4096;  // classes, a few KB each

std::span<const float> Values(const torch::Tensor& contiguous) {
  return {contiguous.const_data_ptr<float>(), static_cast<size_t>(contiguous.numel())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Owlv2Detector>> Owlv2Detector::Load(const std::string& folder, Options options,
                                                                   torch::Device device) {
  absl::StatusOr<Owlv2> model = OnDevice(Owlv2::Load(folder), device, folder);
  if (!model.ok()) return model.status();
  const absl::StatusOr<ImageProcessor> processor = ReadImageProcessor(
      folder,
      {.types = {"Owlv2ImageProcessor", "Owlv2ImageProcessorFast", "Owlv2ImageProcessorPil"},
       .side = model->config().image_size,
       .pads = true},
      {.norm = options.norm});
  if (!processor.ok()) return processor.status();
  options.norm = processor->norm;
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      LoadTokenizer(folder, {.lowercase = false, .add_control_tokens = false});
  if (!tokenizer.ok()) return tokenizer.status();
  return std::make_unique<Owlv2Detector>(*std::move(model), *std::move(tokenizer), options);
}

Owlv2Detector::Owlv2Detector(Owlv2 model, std::unique_ptr<Tokenizer> tokenizer, const Options& options)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      options_(options),
      digest_(absl::StrCat("owlv2/1/", options.threshold, "/", options.most_overlap, "/", options.rule_score,
                           "/", options.rule_counting_score, "/",
                           ImageProcessor{.norm = options.norm}.Digest(), "/",
                           Sha256Hex(DigestOf(model_.tensors()) + JsonText(model_.config().ToJson()) +
                                     tokenizer_->digest()))) {}

absl::StatusOr<Owlv2Queries> Owlv2Detector::QueriesFor(const std::vector<std::string>& classes) {
  if (embeds_.size() > kMostRemembered) embeds_.clear();
  std::vector<torch::Tensor> embeds;
  for (const std::string& name : classes) {
    torch::Tensor& known = embeds_[name];
    if (!known.defined()) {
      const absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->EncodeFixed(
          absl::StrCat("a photo of a ", name), static_cast<int32_t>(model_.config().text_length));
      if (!ids.ok()) {
        embeds_.erase(name);
        return absl::InvalidArgumentError(
            absl::StrCat("the class '", name, "' cannot be looked for: ", ids.status().message()));
      }
      const torch::Tensor tokens =
          torch::tensor(std::vector<int64_t>(ids->begin(), ids->end()), torch::kInt64).view({1, 1, -1});
      known = model_.Queries(tokens).embeds[0][0];
    }
    embeds.push_back(known);
  }
  const torch::Tensor all = torch::stack(embeds).unsqueeze(0);
  return Owlv2Queries{all, torch::ones({1, all.size(1)}, all.options().dtype(torch::kBool))};
}

absl::StatusOr<std::vector<std::vector<Detection>>> Owlv2Detector::Detect(
    const std::vector<RgbImage>& images, const std::vector<std::string>& classes) {
  const torch::NoGradGuard no_grad;
  std::vector<std::vector<Detection>> found(images.size());
  if (classes.empty()) return found;
  if (classes.size() > kMostClasses) {
    return absl::InvalidArgumentError(
        absl::StrCat(classes.size(), " classes are asked for; at most ", kMostClasses, " are looked for"));
  }
  const absl::StatusOr<Owlv2Queries> queries = QueriesFor(classes);
  if (!queries.ok()) return queries.status();
  const int side = static_cast<int>(model_.config().image_size);
  const auto batch = static_cast<size_t>(std::max<int64_t>(options_.batch, 1));
  for (size_t begin = 0; begin < images.size(); begin += batch) {
    const size_t end = std::min(images.size(), begin + batch);
    std::vector<torch::Tensor> pixels;
    for (size_t i = begin; i < end; ++i) {
      const absl::StatusOr<PixelPlanes> planes =
          TransformForOwlv2(images[i], {.size = {side, side}, .norm = options_.norm});
      if (!planes.ok()) return planes.status();
      pixels.push_back(torch::tensor(planes->values).view({3, side, side}));
    }
    const Owlv2Prediction prediction = model_.Predict(model_.ImageEmbeds(torch::stack(pixels)), *queries);
    for (size_t i = begin; i < end; ++i) {
      const auto row = static_cast<int64_t>(i - begin);
      const torch::Tensor logits = prediction.logits[row].cpu().contiguous(),
                          boxes = prediction.boxes[row].to(torch::kCPU, torch::kFloat32).contiguous();
      const absl::StatusOr<std::vector<QueryBox>> kept =
          FindQueryBoxes(Values(logits), Values(boxes), static_cast<int>(classes.size()),
                         ImageSize{images[i].width, images[i].height},
                         {.threshold = options_.threshold, .most_overlap = options_.most_overlap});
      if (!kept.ok()) return kept.status();
      for (const QueryBox& box : *kept) {
        found[i].push_back({.class_name = classes[static_cast<size_t>(box.query)],
                            .score = box.score,
                            .x0 = box.x0,
                            .y0 = box.y0,
                            .x1 = box.x1,
                            .y1 = box.y1,
                            .color = ""});
      }
    }
  }
  return found;
}

}  // namespace lvrpo
