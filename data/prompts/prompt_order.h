#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lvrpo {

// Maps each group ordinal of a run to a prompt: a function of (counts, fraction, seed, ordinal) alone, so
// that any process and any retry gets the same one. Every prompt of a task is used once before any is
// repeated.
class PromptOrder {
 public:
  struct Choice {
    bool text = false;  // a text task
    size_t index = 0;   // into that task's records
  };
  // `text_fraction` of the ordinals, evenly spread, are text tasks. A task whose count is 0 is never chosen;
  // one of the counts must be positive.
  PromptOrder(size_t images, size_t texts, double text_fraction, uint64_t seed);

  Choice At(int64_t ordinal) const;

 private:
  size_t images_, texts_;
  double text_fraction_;
  uint64_t seed_;
};

// The order of one pass over `count` records.
std::vector<size_t> PassOrder(size_t count, uint64_t seed, uint64_t pass);

}  // namespace lvrpo
