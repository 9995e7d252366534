#include "data/prompts/prompt_order.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "common/random.h"

namespace lvrpo {

std::vector<size_t> PassOrder(size_t count, uint64_t seed, uint64_t pass) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(StreamSeed(seed, pass));
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.Next() % i]);
  return order;
}

PromptOrder::PromptOrder(size_t images, size_t texts, double text_fraction, uint64_t seed)
    : images_(images),
      texts_(texts),
      text_fraction_(texts == 0 ? 0 : (images == 0 ? 1 : text_fraction)),
      seed_(seed) {}

PromptOrder::Choice PromptOrder::At(int64_t ordinal) const {
  const auto texts_before = [this](int64_t n) {
    return static_cast<int64_t>(std::floor(static_cast<double>(n) * text_fraction_ + 1e-9));
  };
  const int64_t texts = texts_before(ordinal);
  Choice choice;
  choice.text = texts_before(ordinal + 1) > texts;
  const auto nth = static_cast<uint64_t>(choice.text ? texts : ordinal - texts);
  const size_t count = choice.text ? texts_ : images_;
  choice.index = PassOrder(count, StreamSeed(seed_, choice.text ? 2 : 1), nth / count)[nth % count];
  return choice;
}

}  // namespace lvrpo
