#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_file.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/prompt.pb.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "verifiers/images/detections.h"

// Inputs and outputs of `lvrpo score`.
namespace lvrpo {

// One sample of a prompt.
struct ScoreJob {
  v1::PromptRecord prompt;
  std::string image;                     // file, for a prompt that asks for an image
  std::string text;                      // the answer, for one that asks for a text
  std::optional<Detections> detections;  // what was found in the image, for rules about detected objects
};

// A line of a batch file, a JSON object:
//   {"image": "a.png", "prompt": "a red bench"}          scored from the text alone
//   {"image": "a.png", "record": {... a prompt record}}  with its constraints, rules and questions
//   {"text": "It is red.", "record": {...}}
// With an image also "detections", in the form of verifiers/images/detections.h. Paths are relative to
// `folder`. A byte order mark is skipped. InvalidArgument says what is wrong, in one line: not UTF-8, not
// JSON and where, ...
absl::StatusOr<ScoreJob> ParseScoreJob(absl::string_view line, const std::string& folder);

// The reward server request of this job, its image read, evidence wanted. Errors of ReadImage.
absl::StatusOr<v1::ScoreRequest> RequestFor(const ScoreJob& job, const DecodeOptions& options = {});

// {"reward": .7, "complete": true, "components": [{"name", "outcome", "score", "detail"}], "logged": [the
// same]}; with `maps` also "maps": [{"phrase", "rows", "columns", "values"}]. Without a reward when it is not
// complete.
nlohmann::json ScoreJson(const v1::ItemScore& score, bool maps);

// The same for people: the reward, a line for each component, the largest value of each map and its place.
std::string ScoreText(const v1::ItemScore& score);

// The image, and next to it the map's values as brightness, enlarged to the image's size.
RgbImage MapPicture(const v1::GroundingMap& map, const RgbImage& image);

}  // namespace lvrpo
