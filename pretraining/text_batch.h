#pragma once

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "torch/torch.h"

namespace lvrpo {

// Token ids padded at the end, [B, L].
struct PaddedText {
  torch::Tensor ids;      // int64 [B, L]
  torch::Tensor lengths;  // int64 [B]
};

// Pads with id 0; L is `min_length` or the longest row, whichever is larger.
PaddedText Pad(const std::vector<std::vector<int64_t>>& rows, int64_t min_length = 0, int64_t pad = 0);

// Text of the shapes world: encoding it cannot fail.
std::vector<int64_t> EncodeKnown(const Tokenizer& tokenizer, const std::string& text);

// [B, L] for SigLIP's text tower: padded to `length` with the pad token.
torch::Tensor RefereeText(const Tokenizer& tokenizer, const std::vector<std::string>& texts, int64_t length);

}  // namespace lvrpo
