#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/prompt.pb.h"

// How a question about an image is put to an endpoint for chat completions, and how the answer is read: from
// the log-probabilities of its first token. Pure functions.
namespace lvrpo {

// Rises when the words below change: other words, other scores.
inline constexpr int kVqaFormVersion = 1;

struct VqaQuestion {
  std::string text;  // the question and how to answer it
  // What the answer may be, one a choice, in small letters: the choices themselves when each begins with
  // another letter (yes, no), otherwise the letters a, b, c ... that `text` gives them. Either way the first
  // token of an answer tells them apart.
  std::vector<std::string> labels;
  size_t right = 0;  // index of the answer
};

// InvalidArgument for a question that nobody can put so: fewer than two choices, an empty one, two that are
// the same, an answer that is not among them, more than 26 that need letters.
absl::StatusOr<VqaQuestion> FormVqaQuestion(const v1::Question& question);

// The body of POST {url}/chat/completions.
std::string VqaRequestJson(const std::string& model, const VqaQuestion& question, absl::string_view png,
                           int top_logprobs);

struct VqaAnswer {
  std::vector<double> probabilities;  // of the choices, over these alone: their sum is 1
  // Choices (indices) that are not among the tokens returned: they have the smallest log-probability that is.
  std::vector<size_t> floored;
  // Probability of all tokens that begin a choice. Small: the model would have said something else.
  double coverage = 0;
  double total = 0;  // of all tokens; above 1 these are no probabilities, whatever they are
};

// What came back for one question. The tokens were paid for also when there is no answer.
struct VqaReply {
  int64_t input_tokens = 0, output_tokens = 0;  // 0 where the endpoint does not say
  // NotFound: the model answered with none of the choices. Internal, in one clause: this is no answer with
  // log-probabilities, or what stands where a choice's belongs is none.
  absl::StatusOr<VqaAnswer> answer;
};

// Of the first token's top_logprobs (token_log_probs.h), those count for a choice that are, without leading
// white space and whatever stands for it in a tokenizer ("▁", "Ġ"), and in small letters, its label or the
// beginning of it and of no other label. Several tokens of one choice add up. An entry whose log-probability
// is none is left out; when it is the first that counts for a choice there is no answer, for the model may
// have meant just that one.
VqaReply ReadVqaReply(absl::string_view json, const std::vector<std::string>& labels);

}  // namespace lvrpo
