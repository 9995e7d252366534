#include "data/prompts/prompts.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lvrpo::fuzz::MemoryFile file(lvrpo::fuzz::Bytes(data, size));
  (void)lvrpo::ReadPromptFile(file.path());
  return 0;
}
