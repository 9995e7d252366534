#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "torch/torch.h"

// Counter-based random numbers: every random number of the sample path is a function of (run seed, purpose,
// group, slot, step, index) alone, so any worker, on any retry, draws the same sample. Stateless and
// thread-safe.
namespace lvrpo {

// What a stream of numbers is for. Streams of different purposes are independent, so a step number means the
// same thing in each. Part of the reproducibility contract: never renumber.
enum class Purpose : uint64_t {
  kInitialNoise = 1,    // latent at t = 1; step is 0
  kSdeNoise = 2,        // noise of SDE step i of the schedule; step is i
  kText = 3,            // Gumbel noise of response token i; step is i
  kWindow = 4,          // begin of the SDE window; slot and step are 0
  kEvaluationNoise = 5  // latent at t = 1 of evaluation images; group is the prompt's index
};

// The key of one purpose's stream.
uint64_t MixSeed(uint64_t run_seed, Purpose purpose);

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

// Philox4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// 2011).
PhiloxCounter Philox4x32(PhiloxCounter counter, PhiloxKey key);

// The position of a stream: key = (seed mod 2^32, seed div 2^32), counter = (block, step, slot, group).
struct PhiloxStream {
  uint64_t seed = 0;  // use MixSeed() on the sample path
  uint32_t group = 0;
  uint32_t slot = 0;
  uint32_t step = 0;
};

// `count` words: blocks 0, 1, ... concatenated; the tail of the last block is dropped.
std::vector<uint32_t> PhiloxWords(const PhiloxStream& stream, int64_t count);
// One word, without generating those before it.
uint32_t PhiloxWord(const PhiloxStream& stream, uint32_t index);

// Standard normal numbers by Box-Muller on pairs of words (a, b): u1 = (floor(a / 512) + 1/2) 2^-23, u2
// likewise from b, z0 = sqrt(-2 ln u1) cos(2 pi u2), z1 = the same with sin; evaluated in double on every
// device.
std::vector<double> PhiloxNormals(const PhiloxStream& stream, int64_t count);

// The same numbers rounded to fp32, row-major, on the CPU.
torch::Tensor PhiloxNormal(const PhiloxStream& stream, torch::IntArrayRef sizes);
// Slots first_slot .. first_slot + count - 1 of one group stacked: [count, sizes...].
torch::Tensor PhiloxNormalSlots(PhiloxStream stream, uint32_t first_slot, int64_t count,
                                torch::IntArrayRef sizes);

}  // namespace lvrpo
