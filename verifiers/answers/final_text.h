#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// Extracts the answer from an output:
//   - without what the model thought: <think>...</think> and the other spellings of it (final_text.cc lists
//     them), in any case. Thinking that is not ended hides all that follows; an end without a beginning
//     (which chat templates put into the prompt) ends thinking that began with the text;
//   - without chat templates' tokens at the beginning, and up to the first one that ends a turn
//   ("<|im_end|>"). "<s>...</s>" after the beginning is HTML's for struck out text, and stays.
// A pair of tags named `tag` is not treated as thinking: a rule looks there for the answer. Well-formed UTF-8
// in and out; pure, one pass.
std::string FinalText(absl::string_view text, absl::string_view tag = "");

}  // namespace lvrpo
