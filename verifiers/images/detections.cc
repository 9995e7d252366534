#include "verifiers/images/detections.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digits.h"
#include "data/unicode/unicode.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

using nlohmann::json;

absl::Status Refused(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("detections: ", what));
}

absl::Status CheckName(const std::string& where, const std::string& name) {
  if (name.size() > kMostNameBytes)
    return Refused(
        absl::StrCat(where, " has ", name.size(), " bytes; at most ", kMostNameBytes, " are allowed"));
  if (!unicode::IsValidUtf8(name)) return Refused(where + " is not UTF-8");
  return absl::OkStatus();
}

absl::Status CheckDetection(const std::string& where, const Detection& detection, int width, int height) {
  if (detection.class_name.empty()) return Refused(where + ".class is empty");
  if (const auto named = CheckName(where + ".class", detection.class_name); !named.ok()) return named;
  if (const auto named = CheckName(where + ".color", detection.color); !named.ok()) return named;
  if (!(detection.score >= 0 && detection.score <= 1))
    return Refused(absl::StrCat(where, ".score is ", Digits(detection.score), "; it must be 0 to 1"));
  const double box[] = {detection.x0, detection.y0, detection.x1, detection.y1};
  for (int i = 0; i < 4; ++i) {
    const int side = i % 2 == 0 ? width : height;
    if (!(box[i] >= -side && box[i] <= 2.0 * side)) {
      return Refused(absl::StrCat(where, ".box[", i, "] is ", Digits(box[i]), "; it must be ", -side, " to ",
                                  2 * side, ", an image's side off the image at most"));
    }
  }
  for (int i = 0; i < 2; ++i) {
    if (box[i] > box[i + 2])
      return Refused(absl::StrCat(where, ".box ends at ", Digits(box[i + 2]), ", before ", Digits(box[i]),
                                  ", where it begins: two corners are wanted, not a corner and a size"));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> Number(const json& object, const char* name, const std::string& where) {
  const auto member = object.find(name);
  if (member == object.end()) return Refused(absl::StrCat(where, name, " is missing"));
  if (!member->is_number()) return Refused(absl::StrCat(where, name, " is not a number"));
  return member->get<double>();
}

absl::StatusOr<int> Side(const json& object, const char* name) {
  const absl::StatusOr<double> side = Number(object, name, "");
  if (!side.ok()) return side.status();
  if (!(*side >= 1 && *side <= kMostImageSide) || *side != std::floor(*side))
    return Refused(absl::StrCat(name, " is ", *side, "; it must be a whole number of 1 to ", kMostImageSide));
  return static_cast<int>(*side);
}

absl::StatusOr<Detection> FromJson(const json& object, const std::string& where) {
  if (!object.is_object()) return Refused(where + " is not an object");
  Detection detection;
  const auto name = object.find("class");
  if (name == object.end() || !name->is_string()) return Refused(where + ".class is not a string");
  detection.class_name = name->get<std::string>();
  if (const auto color = object.find("color"); color != object.end()) {
    if (!color->is_string()) return Refused(where + ".color is not a string");
    detection.color = color->get<std::string>();
  }
  const absl::StatusOr<double> score = Number(object, "score", where + ".");
  if (!score.ok()) return score.status();
  detection.score = *score;
  const auto box = object.find("box");
  if (box == object.end() || !box->is_array() || box->size() != 4)
    return Refused(where + ".box is not a list of four numbers");
  double* const corners[] = {&detection.x0, &detection.y0, &detection.x1, &detection.y1};
  for (size_t i = 0; i < 4; ++i) {
    if (!(*box)[i].is_number()) return Refused(absl::StrCat(where, ".box[", i, "] is not a number"));
    *corners[i] = (*box)[i].get<double>();
  }
  return detection;
}

}  // namespace

absl::Status CheckDetections(const Detections& detections) {
  for (const auto& [name, side] : {std::pair{"width", detections.width}, {"height", detections.height}}) {
    if (side < 1 || side > kMostImageSide)
      return Refused(absl::StrCat(name, " is ", side, "; it must be 1 to ", kMostImageSide));
  }
  if (detections.objects.size() > kMostDetections) {
    return Refused(absl::StrCat("there are ", detections.objects.size(), " objects; at most ",
                                kMostDetections, " are allowed"));
  }
  for (size_t i = 0; i < detections.objects.size(); ++i) {
    const absl::Status checked = CheckDetection(absl::StrCat("objects[", i, "]"), detections.objects[i],
                                                detections.width, detections.height);
    if (!checked.ok()) return checked;
  }
  return absl::OkStatus();
}

absl::StatusOr<Detections> DetectionsFromJson(absl::string_view text) {
  if (text.size() > kMostDetectionsBytes) {
    return Refused(
        absl::StrCat("the JSON has ", text.size(), " bytes; at most ", kMostDetectionsBytes, " are allowed"));
  }
  const json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return Refused("this is not JSON");
  if (!document.is_object()) return Refused("the JSON is not an object");
  Detections detections;
  for (const auto& [name, side] : {std::pair{"width", &detections.width}, {"height", &detections.height}}) {
    const absl::StatusOr<int> read = Side(document, name);
    if (!read.ok()) return read.status();
    *side = *read;
  }
  const auto objects = document.find("objects");
  if (objects == document.end() || !objects->is_array()) return Refused("objects is not a list");
  for (size_t i = 0; i < objects->size(); ++i) {
    absl::StatusOr<Detection> detection = FromJson((*objects)[i], absl::StrCat("objects[", i, "]"));
    if (!detection.ok()) return detection.status();
    detections.objects.push_back(*std::move(detection));
  }
  if (const absl::Status checked = CheckDetections(detections); !checked.ok()) return checked;
  return detections;
}

}  // namespace lvrpo
