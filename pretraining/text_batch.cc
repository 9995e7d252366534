#include "pretraining/text_batch.h"

#include <algorithm>
#include <stdexcept>

namespace lvrpo {

PaddedText Pad(const std::vector<std::vector<int64_t>>& rows, int64_t min_length, int64_t pad) {
  int64_t longest = std::max<int64_t>(min_length, 1);
  for (const auto& row : rows) longest = std::max(longest, static_cast<int64_t>(row.size()));
  PaddedText text;
  text.ids = torch::full({static_cast<int64_t>(rows.size()), longest}, pad, torch::kInt64);
  text.lengths = torch::empty({static_cast<int64_t>(rows.size())}, torch::kInt64);
  auto ids = text.ids.accessor<int64_t, 2>();
  auto lengths = text.lengths.accessor<int64_t, 1>();
  for (size_t b = 0; b < rows.size(); ++b) {
    for (size_t i = 0; i < rows[b].size(); ++i)
      ids[static_cast<int64_t>(b)][static_cast<int64_t>(i)] = rows[b][i];
    lengths[static_cast<int64_t>(b)] = static_cast<int64_t>(rows[b].size());
  }
  return text;
}

std::vector<int64_t> EncodeKnown(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.Encode(text);
  if (!ids.ok()) throw std::logic_error(std::string(ids.status().message()));
  return {ids->begin(), ids->end()};
}

torch::Tensor RefereeText(const Tokenizer& tokenizer, const std::vector<std::string>& texts, int64_t length) {
  std::vector<std::vector<int64_t>> rows;
  for (const std::string& text : texts) {
    rows.push_back(EncodeKnown(tokenizer, text));
    rows.back().resize(
        static_cast<size_t>(std::min<int64_t>(length, static_cast<int64_t>(rows.back().size()))));
  }
  return Pad(rows, length, tokenizer.pad()).ids;
}

}  // namespace lvrpo
