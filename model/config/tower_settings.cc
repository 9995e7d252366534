#include "model/config/tower_settings.h"

namespace lvrpo {

void ReadGelu(ConfigReader& reader, Activation& gelu) {
  std::string name = GeluName(gelu);
  reader.OneOf("hidden_act", {"gelu_pytorch_tanh", "gelu", "quick_gelu"}, &name);
  gelu = name == "gelu"         ? Activation::kExactGelu
         : name == "quick_gelu" ? Activation::kQuickGelu
                                : Activation::kGelu;
}

const char* GeluName(Activation gelu) {
  return gelu == Activation::kExactGelu   ? "gelu"
         : gelu == Activation::kQuickGelu ? "quick_gelu"
                                          : "gelu_pytorch_tanh";
}

}  // namespace lvrpo
