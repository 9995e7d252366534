#include "model/bagel_config.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "model/config/config_reader.h"
#include "model/qwen2_config.h"

namespace lvrpo {
namespace {

// A section's file in the published folder, overridden by the section of that name in config.json.
absl::StatusOr<nlohmann::json> Section(const nlohmann::json& config, const std::string& folder,
                                       const std::string& name) {
  const auto embedded = config.find(name);
  const bool embeds = embedded != config.end() && !embedded->is_null();
  if (embeds && !embedded->is_object())
    return absl::InvalidArgumentError(absl::StrCat(folder, "/config.json: ", name, " is not an object"));
  absl::StatusOr<nlohmann::json> section = ReadJsonObject(JoinPath(folder, name + ".json"));
  if (!embeds) return section;
  if (absl::IsNotFound(section.status())) return *embedded;
  if (section.ok()) section->update(*embedded);
  return section;
}

absl::Status CheckModelType(const nlohmann::json& config, const std::string& path) {
  const std::string type = ModelTypeOf(config);
  if (type.empty() || absl::StrContains(absl::AsciiStrToLower(type), "bagel")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " describes a model of type ", type, ", where a bagel model is wanted"));
}

nlohmann::json VisionJson(const BagelConfig& c) {
  return {{"model_type", "siglip_vision_model"},
          {"image_size", c.vit_max_side * c.vit_patch},
          {"patch_size", c.vit_patch},
          {"hidden_size", c.vit_hidden},
          {"intermediate_size", c.vit_mlp},
          {"layer_norm_eps", c.vit_eps},
          {"num_attention_heads", c.vit_heads},
          {"num_hidden_layers", c.vit_layers + 1}};  // the last layer is neither used nor stored
}

Qwen2Config LanguageOf(const BagelConfig& c) {
  return {.hidden = c.hidden,
          .mlp = c.mlp,
          .layers = c.layers,
          .heads = c.heads,
          .kv_heads = c.kv_heads,
          .vocabulary = c.vocabulary,
          .rms_eps = c.rms_eps,
          .rope_theta = c.rope_theta};
}

nlohmann::json LanguageJson(const BagelConfig& c) {
  nlohmann::json json = LanguageOf(c).ToJson();
  json["max_position_embeddings"] = c.max_positions;
  json["qk_norm"] = true;
  json["layer_module"] = "Qwen2MoTDecoderLayer";
  json["bos_token_id"] = c.bos;
  json["eos_token_id"] = c.eos;
  return json;
}

void ReadRouter(const nlohmann::json& json, ConfigReader& reader, RouterConfig& router) {
  reader.OneOf("type", {"hard", "top_k"});
  router.top_k = json.contains("type") && json["type"] == "top_k";
  reader.Integer("experts", router.experts);
  reader.Integer("experts_per_token", router.experts_per_token);
  reader.RefuseUnknown();
}

void ReadLanguage(ConfigReader& reader, BagelConfig& c) {
  Qwen2Config language = LanguageOf(c);
  language.ReadFrom(reader);
  reader.OneOf("layer_module", {"Qwen2MoTDecoderLayer"});
  reader.Integer("max_position_embeddings", c.max_positions);
  reader.Harmless(
      {"qk_norm", "freeze_und"});  // qk_norm is always on, as in the reference application; training
  reader.RefuseUnknown();
  c.hidden = language.hidden, c.mlp = language.mlp, c.layers = language.layers;
  c.heads = language.heads, c.kv_heads = language.kv_heads, c.vocabulary = language.vocabulary;
  c.rms_eps = language.rms_eps, c.rope_theta = language.rope_theta;
  c.claims_tied_embeddings = language.tied;
}

void ReadVision(ConfigReader& reader, BagelConfig& c) {
  reader.OneOf("model_type", {"siglip_vision_model"});
  reader.OneOf("hidden_act", {"gelu_pytorch_tanh"});
  reader.Exactly("num_channels", 3);
  reader.Integer("hidden_size", c.vit_hidden);
  reader.Integer("intermediate_size", c.vit_mlp);
  int64_t stored_layers = c.vit_layers + 1;
  reader.Integer("num_hidden_layers", stored_layers);
  c.vit_layers = stored_layers <= 0 ? -1 : stored_layers - 1;
  reader.Integer("num_attention_heads", c.vit_heads);
  reader.Integer("patch_size", c.vit_patch);
  reader.Number("layer_norm_eps", c.vit_eps);
  ReadCommonSettings(reader);
  // Ignored, as in the reference application: there is neither a head nor rotary positions.
  reader.Harmless({"rope", "vision_use_head", "tie_word_embeddings"});
  constexpr int64_t kMost = int64_t{1} << 30;  // beyond, ValidateBagelConfig refuses
  if (c.vit_patch > 0 && c.vit_patch < kMost && c.vit_max_side > 0 && c.vit_max_side < kMost)
    reader.Exactly("image_size", c.vit_max_side * c.vit_patch);
  else
    reader.Harmless({"image_size"});
  reader.RefuseUnknown();
}

// The special tokens of a folder that names them, as ours do. The published one does not (its bos_token_id is
// another token): there the defaults hold.
void ReadSpecialTokens(ConfigReader& top, ConfigReader& language, BagelConfig& c) {
  if (!top.Has("start_of_image_id")) {
    if (top.Has("end_of_image_id")) top.Problem("end_of_image_id", "is there without start_of_image_id");
    return;
  }
  const auto read = [](ConfigReader& reader, const char* key, int32_t& id) {
    int64_t value = id;
    reader.Integer(key, value);
    id = value < 0 || value > INT32_MAX ? -1 : static_cast<int32_t>(value);
  };
  if (!top.Has("end_of_image_id")) top.Problem("end_of_image_id", "is missing next to start_of_image_id");
  read(top, "start_of_image_id", c.start_of_image);
  read(top, "end_of_image_id", c.end_of_image);
  read(language, "bos_token_id", c.bos);
  read(language, "eos_token_id", c.eos);
}

}  // namespace

absl::Status ValidateBagelConfig(const BagelConfig& c, const std::string& source) {
  if (const std::string problem = LanguageOf(c).SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  if (c.max_positions < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": max_position_embeddings is ", c.max_positions, ", not a positive number"));
  }
  if (const std::string problem = c.router.Problem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  constexpr int64_t kWidest = int64_t{1} << 20;
  constexpr int64_t kLongestSide = 4096;
  const bool sane = c.vit_hidden >= 1 && c.vit_hidden <= kWidest && c.vit_heads >= 1 &&
                    c.vit_hidden % c.vit_heads == 0 && c.vit_mlp >= 1 && c.vit_mlp <= kWidest &&
                    c.vit_layers >= 0 && c.vit_layers <= 512 && c.vit_eps > 0 && c.vit_patch >= 1 &&
                    c.vit_patch <= 1024 && c.vit_max_side >= 1 && c.vit_max_side <= kLongestSide &&
                    c.latent_patch >= 1 && c.latent_patch <= 64 && c.max_latent_side >= 1 &&
                    c.max_latent_side <= kLongestSide;
  if (!sane) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": model sizes out of range or inconsistent: hidden_size ", c.hidden,
                     ", vit hidden_size ", c.vit_hidden, ", intermediate_size ", c.vit_mlp,
                     ", num_attention_heads ", c.vit_heads, ", num_hidden_layers ", c.vit_layers + 1,
                     ", patch_size ", c.vit_patch, ", vit_max_num_patch_per_side ", c.vit_max_side,
                     ", latent_patch_size ", c.latent_patch, ", max_latent_size ", c.max_latent_side));
  }
  for (const int32_t id : {c.bos, c.eos, c.start_of_image, c.end_of_image}) {
    if (id < 0 || id >= c.vocabulary) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": the special token ", id, " is outside the vocabulary of ", c.vocabulary));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<BagelConfig> LoadBagelConfig(const std::string& folder) {
  const std::string path = JoinPath(folder, "config.json");
  absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (absl::IsNotFound(json.status()) && Exists(JoinPath(folder, "llm_config.json")))
    json = nlohmann::json::object();
  if (!json.ok()) return json.status();
  if (absl::Status status = CheckModelType(*json, path); !status.ok()) return status;
  const absl::StatusOr<nlohmann::json> llm = Section(*json, folder, "llm_config");
  if (!llm.ok()) return llm.status();
  const absl::StatusOr<nlohmann::json> vit = Section(*json, folder, "vit_config");
  if (!vit.ok()) return vit.status();

  BagelConfig c;
  ConfigReader top(*json, path), language(*llm, path + " or llm_config.json: llm_config"),
      vision(*vit, path + " or vit_config.json: vit_config");
  top.Integer("vit_max_num_patch_per_side", c.vit_max_side);
  top.Integer("latent_patch_size", c.latent_patch);
  top.Integer("max_latent_size", c.max_latent_side);
  top.OneOf("model_type", {"bagel"});
  top.OneOf("connector_act", {"gelu_pytorch_tanh"});
  top.Never("interpolate_pos");
  ReadCommonSettings(top);
  // Ignored, as in the reference application: both sides exist, and the shift is a sampling setting.
  top.Harmless({"visual_gen", "visual_und", "timestep_shift", "tie_word_embeddings"});
  top.Harmless({"llm_config", "vit_config", "vae_config"});  // read below
  ReadLanguage(language, c);
  ReadVision(vision, c);
  ReadSpecialTokens(top, language, c);
  const nlohmann::json& routing = top.Object("router");
  ConfigReader router(routing, path + ": router");
  ReadRouter(routing, router, c.router);
  top.RefuseUnknown();
  std::vector<std::string> problems;
  for (const ConfigReader* reader : {&top, &language, &vision, &router}) {
    if (const absl::Status status = reader->status(); !status.ok()) problems.emplace_back(status.message());
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));

  const auto stored = json->find("vae_config");
  const bool says_nothing = stored == json->end() || stored->is_null();
  auto autoencoder = AutoencoderConfig::FromJson(says_nothing ? nlohmann::json::object() : *stored, path);
  if (!autoencoder.ok()) return autoencoder.status();
  c.autoencoder = *autoencoder;
  if (absl::Status status = ValidateBagelConfig(c, folder); !status.ok()) return status;
  return c;
}

nlohmann::json RouterJson(const RouterConfig& router) {
  return {{"type", "top_k"}, {"experts", router.experts}, {"experts_per_token", router.experts_per_token}};
}

absl::Status SaveBagelConfig(const BagelConfig& c, const std::string& folder) {
  nlohmann::json config = {{"architectures", {"BagelForConditionalGeneration"}},
                           {"model_type", "bagel"},
                           {"connector_act", "gelu_pytorch_tanh"},
                           {"interpolate_pos", false},
                           {"vit_max_num_patch_per_side", c.vit_max_side},
                           {"latent_patch_size", c.latent_patch},
                           {"max_latent_size", c.max_latent_side},
                           {"start_of_image_id", c.start_of_image},
                           {"end_of_image_id", c.end_of_image},
                           {"llm_config", LanguageJson(c)},
                           {"vit_config", VisionJson(c)},
                           {"vae_config", c.autoencoder.ToJson()}};
  if (c.router.top_k) config["router"] = RouterJson(c.router);
  for (const auto& [name, json] : {std::pair{"config.json", config},
                                   {"llm_config.json", LanguageJson(c)},
                                   {"vit_config.json", VisionJson(c)}}) {
    if (absl::Status status = WriteFileAtomic(JoinPath(folder, name), JsonText(json, 1) + "\n"); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
