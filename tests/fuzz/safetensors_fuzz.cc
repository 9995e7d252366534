#include "data/safetensors/checkpoint_index.h"
#include "data/safetensors/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/testing/safetensors_bytes.h"

// Both readers: the mapped one, which what we write must satisfy again, and the one of published checkpoints.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lvrpo::fuzz::MemoryFile file(lvrpo::fuzz::Bytes(data, size));
  (void)lvrpo::OpenCheckpointFile(file.path());
  const auto opened = lvrpo::SafetensorsFile::Open(file.path());
  if (!opened.ok()) return 0;
  size_t sum = 0;
  for (const auto& [name, entry] : (*opened)->entries()) {
    for (const char byte : entry.bytes) sum += static_cast<unsigned char>(byte);
  }
  const std::string again =
      lvrpo::SerializeSafetensors((*opened)->entries(), (*opened)->metadata(), (*opened)->has_metadata());
  const lvrpo::fuzz::MemoryFile written(again);
  if (!lvrpo::SafetensorsFile::Open(written.path()).ok()) __builtin_trap();
  return sum == SIZE_MAX ? 1 : 0;
}
