#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "algorithm/philox.h"

// Draws a token of a text answer; generation/text_engine.h decodes with it.
namespace lvrpo {

struct TextSampleOptions {
  int max_tokens = 64;
  double temperature = 1;  // 0: greedy
  int top_k = 0;           // 0: off
  double top_p = 1;        // 1: off
  int32_t eos = 0;
};

// The next token of one sample: argmax(score + Gumbel noise) among the scores (logits / temperature) that
// top_k and top_p leave; temperature 0: the largest. The noise is Philox words at `stream`, whose step is the
// token's index. Does not sort the vocabulary.
int32_t ChooseToken(std::span<const float> scores, const PhiloxStream& stream,
                    const TextSampleOptions& options);

}  // namespace lvrpo
