#include <cstdlib>

#include "data/tokenizer/tokenizer.h"
#include "tests/fuzz/fuzz.h"

// Any bytes as a prompt: no control token comes out of them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const lvrpo::Tokenizer* const tokenizer = [] {
    const std::string folder =
        std::string(LVRPO_SOURCE_DIR) + "/tests/parity/cases/tokenizer/models/byte_level";
    auto loaded = lvrpo::LoadTokenizer(folder);
    if (!loaded.ok()) std::abort();
    return loaded->release();
  }();
  const auto ids = tokenizer->Encode(lvrpo::fuzz::Bytes(data, size));
  if (!ids.ok()) return 0;
  for (const int32_t id : *ids) {
    if (id < 0 || id >= tokenizer->vocabulary_size() || id == tokenizer->eos()) __builtin_trap();
  }
  (void)tokenizer->Decode(*ids);
  return 0;
}
