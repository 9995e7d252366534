#include "algorithm/philox.h"

#include <cmath>
#include <numbers>

#include "common/random.h"

namespace lvrpo {
namespace {

// Box-Muller's input: 23 bits and a half, exact in fp32, never 0 or 1.
double UnitInterval(uint32_t word) { return (static_cast<double>(word >> 9) + 0.5) * 0x1.0p-23; }

PhiloxKey KeyOf(uint64_t seed) { return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}; }

}  // namespace

uint64_t MixSeed(uint64_t run_seed, Purpose purpose) {
  return StreamSeed(run_seed, static_cast<uint64_t>(purpose));
}

PhiloxCounter Philox4x32(PhiloxCounter c, PhiloxKey key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * c[0], product1 = kMultiplier1 * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return c;
}

std::vector<uint32_t> PhiloxWords(const PhiloxStream& stream, int64_t count) {
  const PhiloxKey key = KeyOf(stream.seed);
  std::vector<uint32_t> words((count + 3) / 4 * 4);
  for (size_t block = 0; block * 4 < words.size(); ++block) {
    const PhiloxCounter four =
        Philox4x32({static_cast<uint32_t>(block), stream.step, stream.slot, stream.group}, key);
    std::copy(four.begin(), four.end(), words.begin() + 4 * block);
  }
  words.resize(count);
  return words;
}

uint32_t PhiloxWord(const PhiloxStream& stream, uint32_t index) {
  return Philox4x32({index / 4, stream.step, stream.slot, stream.group}, KeyOf(stream.seed))[index % 4];
}

std::vector<double> PhiloxNormals(const PhiloxStream& stream, int64_t count) {
  const std::vector<uint32_t> words = PhiloxWords(stream, (count + 1) / 2 * 2);
  std::vector<double> normals(words.size());
  for (size_t i = 0; i < words.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log(UnitInterval(words[i])));
    const double angle = 2 * std::numbers::pi * UnitInterval(words[i + 1]);
    normals[i] = radius * std::cos(angle);
    normals[i + 1] = radius * std::sin(angle);
  }
  normals.resize(count);
  return normals;
}

torch::Tensor PhiloxNormal(const PhiloxStream& stream, torch::IntArrayRef sizes) {
  torch::Tensor noise = torch::empty(sizes, torch::kFloat32);
  const std::vector<double> normals = PhiloxNormals(stream, noise.numel());
  std::copy(normals.begin(), normals.end(), noise.data_ptr<float>());
  return noise;
}

torch::Tensor PhiloxNormalSlots(PhiloxStream stream, uint32_t first_slot, int64_t count,
                                torch::IntArrayRef sizes) {
  std::vector<torch::Tensor> slots;
  for (int64_t i = 0; i < count; ++i) {
    stream.slot = first_slot + static_cast<uint32_t>(i);
    slots.push_back(PhiloxNormal(stream, sizes));
  }
  return torch::stack(slots);
}

}  // namespace lvrpo
