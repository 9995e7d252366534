#include "reward_server/scoring/score_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/json/parse_json.h"
#include "data/image/image_file.h"
#include "data/image/image_grid.h"
#include "data/image/image_message.h"
#include "data/prompts/prompts.h"

namespace lvrpo {
namespace {

std::string OutcomeName(const v1::ComponentScore& score) {
  return v1::ComponentScore::Outcome_Name(score.outcome());
}

v1::Detections ToMessage(const Detections& detections) {
  v1::Detections message;
  for (const Detection& found : detections.objects) {
    v1::DetectedObject& object = *message.add_objects();
    object.set_class_name(found.class_name);
    object.set_score(static_cast<float>(found.score));
    object.set_x0(static_cast<float>(found.x0));
    object.set_y0(static_cast<float>(found.y0));
    object.set_x1(static_cast<float>(found.x1));
    object.set_y1(static_cast<float>(found.y1));
    object.set_color(found.color);
  }
  return message;
}

nlohmann::json ComponentsJson(const google::protobuf::RepeatedPtrField<v1::ComponentScore>& scores) {
  nlohmann::json components = nlohmann::json::array();
  for (const v1::ComponentScore& component : scores) {
    nlohmann::json one = {{"name", component.name()}, {"outcome", OutcomeName(component)}};
    if (component.outcome() == v1::ComponentScore::OK) one["score"] = component.score();
    if (!component.detail().empty()) one["detail"] = component.detail();
    components.push_back(std::move(one));
  }
  return components;
}

std::string ComponentText(const v1::ComponentScore& component) {
  std::string text = absl::StrFormat("%-13s ", component.name());
  if (component.outcome() == v1::ComponentScore::OK) {
    absl::StrAppendFormat(&text, "%.4f", component.score());
  } else {
    text += OutcomeName(component);
  }
  return absl::StrCat(text, component.detail().empty() ? "" : "  ", component.detail(), "\n");
}

}  // namespace

absl::StatusOr<ScoreJob> ParseScoreJob(absl::string_view line, const std::string& folder) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(line);
  if (!parsed.ok()) return parsed.status();
  const nlohmann::json& json = *parsed;
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  for (const auto& [key, value] : json.items()) {
    const bool object = key == "record" || key == "detections";
    if (!object && key != "image" && key != "text" && key != "prompt") {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", OneLine(key, 40), "\" is none of image, text, prompt, record, detections"));
    }
    if (object ? !value.is_object() : !value.is_string())
      return absl::InvalidArgumentError(
          absl::StrCat("\"", key, "\" is not ", object ? "an object" : "a text"));
  }
  if (json.contains("image") == json.contains("text"))
    return absl::InvalidArgumentError("give \"image\" or \"text\", one of the two");
  if (json.contains("prompt") == json.contains("record"))
    return absl::InvalidArgumentError("give \"prompt\" or \"record\", one of the two");
  ScoreJob job;
  if (json.contains("record")) {
    absl::StatusOr<v1::PromptRecord> record = PromptFromJson(JsonText(json["record"]));
    if (!record.ok()) return record.status();
    job.prompt = *std::move(record);
  } else {
    job.prompt.set_text(json["prompt"].get<std::string>());
  }
  const v1::TaskKind task = json.contains("image") ? v1::TASK_KIND_IMAGE : v1::TASK_KIND_TEXT;
  if (job.prompt.task() == v1::TASK_KIND_UNSPECIFIED) job.prompt.set_task(task);
  if (job.prompt.task() != task) {
    return absl::InvalidArgumentError(task == v1::TASK_KIND_IMAGE
                                          ? "the record asks for a text, and an image is given"
                                          : "the record asks for an image, and a text is given");
  }
  if (task == v1::TASK_KIND_IMAGE) {
    job.image = JoinPath(folder, json["image"].get<std::string>());
  } else {
    job.text = json["text"].get<std::string>();
  }
  if (json.contains("detections")) {
    if (task != v1::TASK_KIND_IMAGE)
      return absl::InvalidArgumentError("\"detections\" belong to an image, and a text is given");
    absl::StatusOr<Detections> detections = DetectionsFromJson(JsonText(json["detections"]));
    if (!detections.ok()) return detections.status();
    job.detections = *std::move(detections);
  }
  return job;
}

absl::StatusOr<v1::ScoreRequest> RequestFor(const ScoreJob& job, const DecodeOptions& options) {
  v1::ScoreRequest request;
  *request.mutable_prompt() = job.prompt;
  request.set_want_evidence(true);
  v1::ScoreItem& item = *request.add_items();
  item.set_text(job.text);
  if (job.image.empty()) return request;
  const absl::StatusOr<RgbImage> image = ReadImage(job.image, options);
  if (!image.ok()) return image.status();
  *item.mutable_image() = ToMessage(*image);
  if (!job.detections.has_value()) return request;
  if (job.detections->width != image->width || job.detections->height != image->height) {
    return absl::InvalidArgumentError(
        absl::StrCat("the detections are of an image of ", job.detections->width, "x", job.detections->height,
                     " pixels, ", job.image, " has ", image->width, "x", image->height));
  }
  *item.mutable_detections() = ToMessage(*job.detections);
  return request;
}

nlohmann::json ScoreJson(const v1::ItemScore& score, bool maps) {
  nlohmann::json json = {{"complete", score.complete()}, {"components", ComponentsJson(score.scores())}};
  if (!score.logged().empty()) json["logged"] = ComponentsJson(score.logged());
  if (score.complete()) json["reward"] = score.reward();
  if (!maps) return json;
  json["maps"] = nlohmann::json::array();
  for (const v1::GroundingMap& map : score.maps()) {
    json["maps"].push_back({{"phrase", map.phrase()},
                            {"rows", map.rows()},
                            {"columns", map.columns()},
                            {"values", std::vector<float>(map.values().begin(), map.values().end())}});
  }
  return json;
}

std::string ScoreText(const v1::ItemScore& score) {
  std::string text = score.complete() ? absl::StrFormat("reward        %.4f\n", score.reward())
                                      : "reward        none: a component has no score\n";
  for (const v1::ComponentScore& component : score.scores()) text += ComponentText(component);
  if (!score.logged().empty()) text += "no part of the reward:\n";
  for (const v1::ComponentScore& component : score.logged()) text += ComponentText(component);
  for (const v1::GroundingMap& map : score.maps()) {
    if (map.values().empty()) continue;
    const auto best = std::max_element(map.values().begin(), map.values().end());
    const auto place = static_cast<int>(best - map.values().begin());
    absl::StrAppendFormat(&text, "  %-24s %.4f at row %d of %d, column %d of %d\n", map.phrase(), *best,
                          place / map.columns() + 1, map.rows(), place % map.columns() + 1, map.columns());
  }
  return text;
}

RgbImage MapPicture(const v1::GroundingMap& map, const RgbImage& image) {
  RgbImage picture = {image.width, image.height, std::vector<uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const int row = y * map.rows() / image.height, column = x * map.columns() / image.width;
      const float value = std::clamp(map.values(row * map.columns() + column), 0.0f, 1.0f);
      std::fill_n(
          &picture
               .pixels[(static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) *
                       3],
          3, static_cast<uint8_t>(value * 255 + 0.5f));
    }
  }
  return MakeGrid({image, picture}, 2, 1, 2);
}

}  // namespace lvrpo
