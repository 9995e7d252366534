#include "reward_server/decode_request.h"

#include "absl/strings/str_cat.h"
#include "data/image/png.h"
#include "data/prompts/prompts.h"
#include "verifiers/rules/rules.h"

namespace lvrpo {
namespace {

constexpr int kMaxSide = 1024;                           // pixels
constexpr int kMaxItems = 1024;                          // the largest group
constexpr size_t kMaxAnswer = size_t{1} << 20;           // bytes of a text
constexpr int64_t kMaxRequestPixels = int64_t{1} << 26;  // of all items: a small PNG can hold a large image

absl::StatusOr<RgbImage> DecodeImage(const v1::RgbImage& image, int index) {
  if (!image.png().empty()) {
    if (!image.pixels().empty() || image.width() != 0 || image.height() != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("item ", index, ": both a PNG and pixels; send one of them"));
    }
    absl::StatusOr<RgbImage> decoded = DecodePng(image.png(), {.max_side = kMaxSide});
    if (!decoded.ok())
      return absl::InvalidArgumentError(absl::StrCat("item ", index, ": ", decoded.status().message()));
    return decoded;
  }
  if (image.width() < 1 || image.height() < 1 || image.width() > kMaxSide || image.height() > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat("item ", index, ": an image of ", image.width(), "x",
                                                   image.height(), " pixels; sides of 1 to ", kMaxSide,
                                                   " pixels can be scored"));
  }
  const size_t want = size_t{3} * image.width() * image.height();
  if (image.pixels().size() != want) {
    return absl::InvalidArgumentError(absl::StrCat("item ", index, ": ", image.pixels().size(),
                                                   " bytes of pixels where width * height * 3 = ", want,
                                                   " belong"));
  }
  return RgbImage{image.width(), image.height(), {image.pixels().begin(), image.pixels().end()}};
}

// Texts for models and rules must be short: their cost grows faster than their length.
absl::Status CheckLengths(const v1::PromptRecord& prompt) {
  const auto check = [&](const char* what, const std::string& text, size_t most) {
    if (text.size() <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("prompt '", prompt.id().substr(0, 100), "' has ", what,
                                                   " of ", text.size(), " bytes; at most ", most,
                                                   " can be scored"));
  };
  absl::Status status = check("an id", prompt.id(), 1024);
  status.Update(check("a text", prompt.text(), size_t{1} << 20));
  for (const std::string& phrase : prompt.key_phrases()) status.Update(check("a key phrase", phrase, 1024));
  for (const v1::Question& question : prompt.questions()) {
    status.Update(check("a question", question.text(), 4096));
    for (const std::string& choice : question.choices()) status.Update(check("a choice", choice, 1024));
  }
  return status;
}

// What the caller found in an image, checked.
absl::StatusOr<std::vector<Detection>> DecodeDetections(const v1::Detections& detections,
                                                        const RgbImage& image, int index) {
  Detections found = {.width = image.width, .height = image.height, .objects = {}};
  for (const v1::DetectedObject& object : detections.objects()) {
    found.objects.push_back({.class_name = object.class_name(),
                             .score = object.score(),
                             .x0 = object.x0(),
                             .y0 = object.y0(),
                             .x1 = object.x1(),
                             .y1 = object.y1(),
                             .color = object.color()});
  }
  if (absl::Status status = CheckDetections(found); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("item ", index, ", ", status.message()));
  }
  return found.objects;
}

}  // namespace

absl::StatusOr<ScoringGroup> DecodeRequest(const v1::ScoreRequest& request) {
  if (request.prompt().task() == v1::TASK_KIND_UNSPECIFIED) {
    return absl::InvalidArgumentError(absl::StrCat("prompt '", request.prompt().id(),
                                                   "' has no task: set TASK_KIND_IMAGE or TASK_KIND_TEXT"));
  }
  if (absl::Status status = CheckPromptBounds(request.prompt()); !status.ok()) return status;
  if (absl::Status status = CheckLengths(request.prompt()); !status.ok()) return status;
  if (absl::Status status = CheckPromptRules(request.prompt()); !status.ok()) return status;
  if (request.items().empty()) return absl::InvalidArgumentError("the request has no items to score");
  if (request.items_size() > kMaxItems) {
    return absl::InvalidArgumentError(absl::StrCat("the request has ", request.items_size(),
                                                   " items; at most ", kMaxItems, " are scored at once"));
  }
  ScoringGroup group;
  group.prompt = request.prompt();
  group.want_evidence = request.want_evidence();
  int64_t pixels = 0;
  for (int i = 0; i < request.items_size(); ++i) {
    if (group.prompt.task() == v1::TASK_KIND_TEXT) {
      const std::string& text = request.items(i).text();
      if (text.size() > kMaxAnswer) {
        return absl::InvalidArgumentError(absl::StrCat("item ", i, ": a text of ", text.size(),
                                                       " bytes; at most ", kMaxAnswer, " can be scored"));
      }
      group.texts.push_back(text);
      continue;
    }
    absl::StatusOr<RgbImage> image = DecodeImage(request.items(i).image(), i);
    if (!image.ok()) return image.status();
    pixels += int64_t{image->width} * image->height;
    if (pixels > kMaxRequestPixels) {
      return absl::InvalidArgumentError(absl::StrCat("items 0 to ", i, " hold more than ", kMaxRequestPixels,
                                                     " pixels; send fewer in one request"));
    }
    group.images.push_back(*std::move(image));
    if (!request.items(i).has_detections()) continue;
    absl::StatusOr<std::vector<Detection>> detections =
        DecodeDetections(request.items(i).detections(), group.images.back(), i);
    if (!detections.ok()) return detections.status();
    group.detections.resize(static_cast<size_t>(request.items_size()));
    group.detections[static_cast<size_t>(i)] = *std::move(detections);
  }
  return group;
}

}  // namespace lvrpo
