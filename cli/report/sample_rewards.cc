#include "cli/report/sample_rewards.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "cli/local/reward_server_process.h"
#include "common/files/file.h"
#include "common/json/json_text.h"
#include "data/image/image_file.h"
#include "data/image/image_message.h"
#include "data/prompts/prompts.h"
#include "data/prompts/sample_file.h"
#include "nlohmann/json.hpp"
#include "reward_server/client.h"

namespace lvrpo {
namespace {

absl::StatusOr<nlohmann::json> ScoreOne(RewardClient& client, const std::string& address,
                                        const std::string& image_path, const v1::PromptRecord& record) {
  const absl::StatusOr<RgbImage> image = ReadImage(image_path);
  if (!image.ok()) return image.status();
  v1::ScoreRequest request;
  *request.mutable_prompt() = record;
  request.set_want_evidence(true);
  *request.add_items()->mutable_image() = ToMessage(*image);
  const absl::StatusOr<v1::ScoreResponse> response = client.Score(address, request, absl::Seconds(30));
  if (!response.ok()) return response.status();
  const v1::ItemScore& item = response->items(0);
  nlohmann::json json = {
      {"id", record.id()}, {"reward", item.reward()}, {"scores", nlohmann::json::object()}};
  for (const v1::ComponentScore& score : item.scores()) {
    json["scores"][score.name()] = {{"score", score.score()}, {"detail", score.detail()}};
  }
  for (const v1::ComponentScore& score : item.logged()) {
    if (score.outcome() == v1::ComponentScore::OK) json["logged"][score.name()] = score.score();
  }
  json["maps"] = nlohmann::json::array();
  for (const v1::GroundingMap& map : item.maps()) {
    json["maps"].push_back({{"phrase", map.phrase()},
                            {"rows", map.rows()},
                            {"columns", map.columns()},
                            {"values", std::vector<float>(map.values().begin(), map.values().end())}});
  }
  return json;
}

}  // namespace

absl::Status ScoreSamples(const RunFolder& folder) {
  const v1::RunConfig& config = folder.config.config;
  if (config.data().heldout_image_prompts().empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<v1::PromptRecord>> records =
      ReadPromptFile(config.data().heldout_image_prompts());
  if (!records.ok()) return records.status();
  std::map<std::string, const v1::PromptRecord*> by_id;
  for (const v1::PromptRecord& record : *records) by_id[record.id()] = &record;
  const auto server =
      RewardServerProcess::Start({.config = folder.Inside("config.yaml"),
                                  .settings = {},
                                  .address_file = folder.Inside("logs/report-reward-server.json"),
                                  .log = folder.Inside("logs/report-reward-server.log")});
  if (!server.ok()) return server.status();
  RewardClient client(config.rpc());
  for (const char* name : {"before", "after"}) {
    const std::string images = folder.Inside(absl::StrCat("images/", name));
    const absl::StatusOr<std::string> text = ReadFile(images + "/samples.json");
    if (!text.ok()) continue;
    nlohmann::json rewards = nlohmann::json::array();
    for (const nlohmann::json& sample : nlohmann::json::parse(*text, nullptr, false)) {
      const auto record = by_id.find(sample.value("id", ""));
      const std::string image = sample.value("image", "");
      if (record == by_id.end() || !IsPlainFileName(image)) continue;
      absl::StatusOr<nlohmann::json> scored =
          ScoreOne(client, (*server)->address(), JoinPath(images, image), *record->second);
      if (!scored.ok()) return scored.status();
      rewards.push_back(*std::move(scored));
    }
    if (absl::Status status = WriteFileAtomic(images + "/rewards.json", JsonText(rewards) + "\n");
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
