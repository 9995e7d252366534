#include "common/config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lvrpo::fuzz::MemoryFile file(lvrpo::fuzz::Bytes(data, size));
  const auto loaded = lvrpo::LoadRunConfig(file.path(), {});
  if (loaded.ok()) (void)lvrpo::PrintConfig(*loaded);
  return 0;
}
