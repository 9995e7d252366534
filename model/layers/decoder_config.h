#pragma once

#include <cstdint>

#include "model/config/router_config.h"
#include "model/layers/kv_table.h"

namespace lvrpo {

struct DecoderConfig {
  int64_t layers = 0, hidden = 0, mlp = 0, heads = 0, kv_heads = 0;
  double rms_eps = 1e-6, rope_theta = 1e4;
  bool rotary_in_fp32 = true;  // for weights of any dtype; false: in theirs, as transformers' Qwen2
  double lora_scale = 0;       // applied to the adapters among the tensors (model/weights/lora.h)
  RouterConfig router = {};    // top_k: each layer's MLP is an expert pool for both streams

  int64_t head_dim() const { return hidden / heads; }
  KvShape kv_shape() const { return {layers, kv_heads, head_dim()}; }
};

}  // namespace lvrpo
