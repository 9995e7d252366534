#include "model/owlv2_config.h"

#include "absl/strings/str_cat.h"
#include "model/config/tower_settings.h"

namespace lvrpo {
namespace {

constexpr int64_t kWidest = int64_t{1} << 16;

bool Sane(const Owlv2TowerConfig& t) {
  return t.width >= 1 && t.width <= kWidest && t.heads >= 1 && t.width % t.heads == 0 && t.layers >= 1 &&
         t.layers <= 512 && t.mlp >= 1 && t.mlp <= kWidest && t.eps > 0;
}

std::string Describe(const Owlv2TowerConfig& t) {
  return absl::StrCat("hidden_size ", t.width, ", num_hidden_layers ", t.layers, ", num_attention_heads ",
                      t.heads, ", intermediate_size ", t.mlp, ", layer_norm_eps ", t.eps);
}

}  // namespace

absl::StatusOr<Owlv2Config> Owlv2Config::FromJson(const nlohmann::json& json, const std::string& source) {
  const std::string type = ModelTypeOf(json);
  if (!type.empty() && type != "owlv2" && type != "Owlv2ForObjectDetection") {
    return absl::InvalidArgumentError(
        absl::StrCat(source, " describes a model of type ", type, ", where an owlv2 detector is wanted"));
  }
  Owlv2Config config;
  ConfigReader reader(json, source);
  ReadCommonSettings(reader);
  reader.OneOf("model_type", {"owlv2"});
  reader.Harmless({"tie_word_embeddings"});
  reader.Integer("projection_dim", config.projection);
  ConfigReader vision(reader.Object("vision_config"), absl::StrCat(source, ": vision_config")),
      text(reader.Object("text_config"), absl::StrCat(source, ": text_config"));
  ReadTower(vision, "owlv2_vision_model", config.vision);
  vision.Integer("image_size", config.image_size);
  vision.Integer("patch_size", config.patch_size);
  vision.Exactly("num_channels", 3);
  ReadTower(text, "owlv2_text_model", config.text);
  text.Integer("vocab_size", config.vocabulary);
  text.Integer("max_position_embeddings", config.text_length);
  for (ConfigReader* each : {&reader, &vision, &text}) each->RefuseUnknown();
  for (const ConfigReader* each : {&reader, &vision, &text}) {
    if (absl::Status status = each->status(); !status.ok()) return status;
  }
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  return config;
}

std::string Owlv2Config::SizeProblem() const {
  for (const auto& [name, tower] : {std::pair("vision_config", &vision), {"text_config", &text}}) {
    if (!Sane(*tower)) return absl::StrCat(name, ": sizes out of range or inconsistent: ", Describe(*tower));
  }
  if (patch_size < 1 || image_size < patch_size || image_size > kWidest || grid() > 4096)
    return absl::StrCat("patch_size ", patch_size, " does not fit image_size ", image_size);
  if (vocabulary < 1 || vocabulary > (1 << 24) || text_length < 1 || text_length > kWidest) {
    return absl::StrCat("text_config: out of range: vocab_size ", vocabulary, ", max_position_embeddings ",
                        text_length);
  }
  // The class head compares its vectors, as wide as the text tower, with projected queries.
  if (projection != text.width) {
    return absl::StrCat("projection_dim ", projection, " is not the text tower's hidden_size, ", text.width);
  }
  return "";
}

nlohmann::json Owlv2Config::ToJson() const {
  nlohmann::json vision_json = TowerToJson(vision), text_json = TowerToJson(text);
  vision_json["image_size"] = image_size;
  vision_json["patch_size"] = patch_size;
  text_json["vocab_size"] = vocabulary;
  text_json["max_position_embeddings"] = text_length;
  return {{"architectures", {"Owlv2ForObjectDetection"}},
          {"model_type", "owlv2"},
          {"projection_dim", projection},
          {"vision_config", vision_json},
          {"text_config", text_json}};
}

}  // namespace lvrpo
