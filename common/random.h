#pragma once

#include <cstdint>

namespace lvrpo {

// SplitMix64 (Steele, Lea, Flood 2014): a small generator whose whole state is one number, for data that must
// be the same everywhere. Noise of the sample path comes from algorithm/philox.h instead. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  // [0, 1)
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // 0 .. count - 1
  int Below(int count) { return static_cast<int>(Next() % static_cast<uint64_t>(count)); }
  bool Chance(double probability) { return Uniform() < probability; }

 private:
  uint64_t state_;
};

// Seed of an independent stream: the same (seed, index) always gives the same stream.
inline uint64_t StreamSeed(uint64_t seed, uint64_t index) {
  Random mix(seed ^ (index * 0xD1342543DE82EF95));
  mix.Next();
  return mix.Next();
}

}  // namespace lvrpo
