#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/prompt.pb.h"

// Builds the chat-completions request of a question about an image, and reads the answer from the
// log-probabilities of its first token. Pure functions.
namespace lvrpo {

// Incremented when the wording below changes, as scores change with it.
inline constexpr int kVqaFormVersion = 1;

struct VqaQuestion {
  std::string text;  // the question and how to answer it
  // The possible answers, one per choice, lower-case: the choices themselves when their first letters differ
  // (yes, no), otherwise the letters a, b, c ... that `text` assigns to them. Either way the first token of
  // an answer distinguishes them.
  std::vector<std::string> labels;
  size_t right = 0;  // index of the answer
};

// InvalidArgument for a question that cannot be asked this way: fewer than two choices, an empty one, two
// that are the same, an answer that is not among them, more than 26 that need letters.
absl::StatusOr<VqaQuestion> FormVqaQuestion(const v1::Question& question);

// The body of POST {url}/chat/completions.
std::string VqaRequestJson(const std::string& model, const VqaQuestion& question, absl::string_view png,
                           int top_logprobs);

struct VqaAnswer {
  std::vector<double> probabilities;  // of the choices, over these alone: their sum is 1
  // Choices (indices) that are not among the tokens returned: they get the smallest log-probability returned.
  std::vector<size_t> floored;
  // Probability of all tokens that begin a choice. Small: the model prefers another answer.
  double coverage = 0;
  double total = 0;  // of all tokens; well above 1: these are not probabilities
};

// The result of one question. Token counts are set even when there is no answer.
struct VqaReply {
  int64_t input_tokens = 0, output_tokens = 0;  // 0 where the endpoint does not report them
  // NotFound: the model answered with none of the choices. DataLoss, in one clause: the answer has no
  // log-probabilities, or an invalid one for a choice.
  absl::StatusOr<VqaAnswer> answer;
};

// Matches the first token's top_logprobs (token_log_probs.h) to choices: a token belongs to a choice when,
// without leading white space and a tokenizer's marks for it ("▁", "Ġ"), and lower-case, it is a prefix of
// that choice's label and of no other. Probabilities of several tokens of one choice are added. An entry with
// an invalid log-probability is skipped; when it is the first of its choice there is no answer, as the model
// may have meant that one.
VqaReply ReadVqaReply(absl::string_view json, const std::vector<std::string>& labels);

}  // namespace lvrpo
