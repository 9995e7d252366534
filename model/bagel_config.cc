#include "model/bagel_config.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/file.h"

namespace lvrpo {
namespace {

absl::StatusOr<nlohmann::json> ReadJson(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  nlohmann::json json = nlohmann::json::parse(*bytes, nullptr, false);
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  return json;
}

// A section of config.json, or the file that the publisher puts beside it.
absl::StatusOr<nlohmann::json> Section(const nlohmann::json& config, const std::string& folder,
                                       const std::string& name) {
  if (config.contains(name) && config[name].is_object()) return config[name];
  return ReadJson(JoinPath(folder, name + ".json"));
}

nlohmann::json LanguageJson(const BagelConfig& c) {
  return {{"architectures", {"Qwen2ForCausalLM"}},
          {"model_type", "qwen2"},
          {"hidden_act", "silu"},
          {"hidden_size", c.hidden},
          {"intermediate_size", c.mlp},
          {"num_hidden_layers", c.layers},
          {"num_attention_heads", c.heads},
          {"num_key_value_heads", c.kv_heads},
          {"vocab_size", c.vocabulary},
          {"rms_norm_eps", c.rms_eps},
          {"rope_theta", c.rope_theta},
          {"tie_word_embeddings", false},
          {"qk_norm", true},
          {"layer_module", "Qwen2MoTDecoderLayer"},
          {"bos_token_id", c.bos},
          {"eos_token_id", c.eos}};
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

absl::Status Validate(const BagelConfig& c, const std::string& folder) {
  const bool sane = c.hidden >= 1 && c.heads >= 1 && c.kv_heads >= 1 && c.hidden % c.heads == 0 &&
                    c.heads % c.kv_heads == 0 && c.head_dim() % 2 == 0 && c.layers >= 1 && c.layers <= 512 &&
                    c.mlp >= 1 && c.vocabulary >= 1 && c.vocabulary <= (1 << 24) && c.vit_heads >= 1 &&
                    c.vit_hidden % c.vit_heads == 0 && c.vit_layers >= 0 && c.vit_layers <= 512 &&
                    c.vit_patch >= 1 && c.vit_max_side >= 1 && c.latent_patch >= 1 && c.max_latent_side >= 1;
  if (!sane)
    return absl::InvalidArgumentError(absl::StrCat(folder, ": model sizes out of range or inconsistent"));
  for (const int32_t id : {c.bos, c.eos, c.start_of_image, c.end_of_image}) {
    if (id < 0 || id >= c.vocabulary) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, ": the special token ", id, " is outside the vocabulary of ", c.vocabulary));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BagelConfig> LoadBagelConfig(const std::string& folder) {
  const std::string path = JoinPath(folder, "config.json");
  absl::StatusOr<nlohmann::json> json = ReadJson(path);
  if (!json.ok()) return json.status();
  absl::StatusOr<nlohmann::json> llm = Section(*json, folder, "llm_config");
  if (!llm.ok()) return llm.status();
  absl::StatusOr<nlohmann::json> vit = Section(*json, folder, "vit_config");
  if (!vit.ok()) return vit.status();
  BagelConfig c;
  try {
    c.hidden = llm->value("hidden_size", c.hidden);
    c.mlp = llm->value("intermediate_size", c.mlp);
    c.layers = llm->value("num_hidden_layers", c.layers);
    c.heads = llm->value("num_attention_heads", c.heads);
    c.kv_heads = llm->value("num_key_value_heads", c.kv_heads);
    c.vocabulary = llm->value("vocab_size", c.vocabulary);
    c.rms_eps = llm->value("rms_norm_eps", c.rms_eps);
    c.rope_theta = llm->value("rope_theta", c.rope_theta);
    c.vit_hidden = vit->value("hidden_size", c.vit_hidden);
    c.vit_mlp = vit->value("intermediate_size", c.vit_mlp);
    c.vit_layers = vit->value("num_hidden_layers", c.vit_layers + 1) - 1;
    c.vit_heads = vit->value("num_attention_heads", c.vit_heads);
    c.vit_patch = vit->value("patch_size", c.vit_patch);
    c.vit_eps = vit->value("layer_norm_eps", c.vit_eps);
    c.vit_max_side = json->value("vit_max_num_patch_per_side", c.vit_max_side);
    c.latent_patch = json->value("latent_patch_size", c.latent_patch);
    c.max_latent_side = json->value("max_latent_size", c.max_latent_side);
    if (json->contains("start_of_image_id")) {
      // A folder that names its special tokens. The published one does not (its bos_token_id is another
      // token): there the defaults above hold.
      c.start_of_image = json->at("start_of_image_id").get<int32_t>();
      c.end_of_image = json->at("end_of_image_id").get<int32_t>();
      c.bos = llm->value("bos_token_id", c.bos);
      c.eos = llm->value("eos_token_id", c.eos);
    }
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  nlohmann::json autoencoder = json->value("vae_config", nlohmann::json::object());
  auto parsed = AutoencoderConfig::FromJson(autoencoder, path);
  if (!parsed.ok()) return parsed.status();
  c.autoencoder = *parsed;
  if (absl::Status status = Validate(c, folder); !status.ok()) return status;
  return c;
}

absl::Status SaveBagelConfig(const BagelConfig& c, const std::string& folder) {
  const nlohmann::json config = {{"architectures", {"BagelForConditionalGeneration"}},
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
  for (const auto& [name, json] : {std::pair{"config.json", config},
                                   {"llm_config.json", LanguageJson(c)},
                                   {"vit_config.json", VisionJson(c)}}) {
    if (absl::Status status = WriteFileAtomic(JoinPath(folder, name), json.dump(1) + "\n"); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
