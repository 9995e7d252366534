#pragma once

#include <string>

#include "model/config/config_reader.h"
#include "model/kernels/fused_ops.h"
#include "nlohmann/json.hpp"

// Common settings of SigLIP's and OWLv2's towers. `Tower` has width, layers, heads, mlp, eps and gelu, whose
// values are the defaults of absent settings.
namespace lvrpo {

// The setting hidden_act; absent: `gelu` is unchanged. Reports a name that is none of the three forms.
void ReadGelu(ConfigReader& reader, Activation& gelu);
const char* GeluName(Activation gelu);

template <typename Tower>
void ReadTower(ConfigReader& reader, const std::string& model_type, Tower& tower) {
  ReadCommonSettings(reader);
  reader.OneOf("model_type", {model_type});
  reader.Harmless({"tie_word_embeddings"});  // there is no head
  reader.Integer("hidden_size", tower.width);
  reader.Integer("num_hidden_layers", tower.layers);
  reader.Integer("num_attention_heads", tower.heads);
  reader.Integer("intermediate_size", tower.mlp);
  reader.Number("layer_norm_eps", tower.eps);
  ReadGelu(reader, tower.gelu);
}

template <typename Tower>
nlohmann::json TowerToJson(const Tower& tower) {
  return {{"hidden_size", tower.width},         {"num_hidden_layers", tower.layers},
          {"num_attention_heads", tower.heads}, {"intermediate_size", tower.mlp},
          {"layer_norm_eps", tower.eps},        {"hidden_act", GeluName(tower.gelu)}};
}

}  // namespace lvrpo
