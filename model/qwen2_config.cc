#include "model/qwen2_config.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {
void Qwen2Config::ReadFrom(ConfigReader& reader) {
  ReadCommonSettings(reader);
  reader.OneOf("model_type", {"qwen2"});
  reader.Integer("hidden_size", hidden);
  reader.Integer("intermediate_size", mlp);
  reader.Integer("num_hidden_layers", layers);
  reader.Integer("num_attention_heads", heads);
  reader.Integer("num_key_value_heads", kv_heads);
  reader.Integer("vocab_size", vocabulary);
  reader.Number("rms_norm_eps", rms_eps);
  reader.Flag("tie_word_embeddings", tied);

  reader.OneOf("hidden_act", {"silu", "swish"});
  reader.Never("use_sliding_window");
  reader.Harmless({"sliding_window", "max_window_layers"});  // of the windows that are not used
  reader.Never("use_mrope");
  reader.Always("attention_bias");  // the family's, which its own files do not say
  reader.Always("is_causal");
  reader.EveryOneOf("layer_types", {"full_attention"}, layers);
  ReadRotaryBase(reader, rope_theta);
  if (hidden > 0 && heads > 0) {
    int64_t given = head_dim();
    reader.Integer("head_dim", given);
    if (given != head_dim()) {
      reader.Problem(
          "head_dim",
          absl::StrCat("is ", given, "; supported: hidden_size / num_attention_heads, ", head_dim()));
    }
  }
}

std::string Qwen2Config::SizeProblem() const {
  constexpr int64_t kWidest = int64_t{1} << 20;
  const bool sane = hidden >= 1 && hidden <= kWidest && mlp >= 1 && mlp <= kWidest && heads >= 1 &&
                    kv_heads >= 1 && hidden % heads == 0 && heads % kv_heads == 0 && head_dim() % 2 == 0 &&
                    layers >= 1 && layers <= 512 && vocabulary >= 1 && vocabulary <= (1 << 24) &&
                    rms_eps > 0 && rope_theta > 0;
  if (sane) return "";
  return absl::StrCat("model sizes out of range or inconsistent: hidden_size ", hidden,
                      ", intermediate_size ", mlp, ", num_hidden_layers ", layers, ", num_attention_heads ",
                      heads, ", num_key_value_heads ", kv_heads, ", vocab_size ", vocabulary,
                      ", rms_norm_eps ", rms_eps, ", rope_theta ", rope_theta);
}

absl::StatusOr<Qwen2Config> Qwen2Config::FromJson(const nlohmann::json& json, const std::string& source) {
  const std::string type = ModelTypeOf(json);
  if (!type.empty() && type != "qwen2" && type != "Qwen2ForCausalLM") {
    return absl::InvalidArgumentError(absl::StrCat(source, " describes a model of type ", type,
                                                   ", where a qwen2 language model is wanted"));
  }
  ConfigReader reader(json, source);
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    if (!reader.Has(key)) reader.Problem(key, "is missing");
  }
  Qwen2Config config;
  config.ReadFrom(reader);
  reader.Harmless({"max_position_embeddings"});  // how far it was trained; positions are computed
  reader.RefuseUnknown();
  if (config.kv_heads == 0 && !reader.Has("num_key_value_heads")) config.kv_heads = config.heads;
  if (absl::Status status = reader.status(); !status.ok()) return status;
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  return config;
}

nlohmann::json Qwen2Config::ToJson() const {
  return {{"architectures", {"Qwen2ForCausalLM"}},
          {"model_type", "qwen2"},
          {"hidden_act", "silu"},
          {"hidden_size", hidden},
          {"intermediate_size", mlp},
          {"num_hidden_layers", layers},
          {"num_attention_heads", heads},
          {"num_key_value_heads", kv_heads},
          {"vocab_size", vocabulary},
          {"rms_norm_eps", rms_eps},
          {"rope_theta", rope_theta},
          {"tie_word_embeddings", tied}};
}

}  // namespace lvrpo
