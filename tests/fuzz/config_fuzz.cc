#include <cstdlib>

#include "common/config/config.h"
#include "tests/fuzz/fuzz.h"

namespace {

// What is taken is printed so that it reads back the same.
void ReadPrintAndReadAgain(const std::string& yaml) {
  const auto nothing_wrong = [] { return std::vector<std::string>(); };
  lvrpo::LoadedConfig loaded{.config = lvrpo::DefaultRunConfig(), .origins = {}};
  auto origins = lvrpo::FillConfig(yaml, "fuzz.yaml", {}, nothing_wrong, loaded.config);
  if (!origins.ok()) return;
  loaded.origins = *std::move(origins);
  lvrpo::v1::RunConfig again = lvrpo::DefaultRunConfig();
  if (!lvrpo::FillConfig(lvrpo::PrintConfig(loaded), "again.yaml", {}, nothing_wrong, again).ok() ||
      again.SerializeAsString() != loaded.config.SerializeAsString())
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lvrpo::fuzz::MemoryFile file(lvrpo::fuzz::Bytes(data, size));
  (void)lvrpo::LoadRunConfig(file.path(), {});
  ReadPrintAndReadAgain(std::string(lvrpo::fuzz::Bytes(data, size)));
  return 0;
}
