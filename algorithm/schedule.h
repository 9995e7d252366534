#pragma once

#include <cstdint>
#include <string>
#include <vector>

// The time grid of the sampler. t = 1 is noise and t = 0 is data; n values are n - 1 model calls, and
// denoising step i goes from timesteps[i] to timesteps[i + 1].
namespace lvrpo {

// u = n values from 1 to 0, t = s u / (1 + (s - 1) u), computed in fp32. Needs n >= 2 and s > 0.
std::vector<float> Timesteps(int n, double shift);

// The SDE steps of a trajectory: begin, begin + 1, ..., begin + size - 1. They are the steps with a
// log-probability; all others are ODE steps. size + 1 latents are stored: the one before each step, and the
// one after the last.
struct Window {
  int begin = 0;
  int size = 0;
  int end() const { return begin + size; }
  bool Contains(int step) const { return step >= begin && step < end(); }
  friend bool operator==(const Window&, const Window&) = default;
};

// The window of one group: begin is uniform over lo .. hi - size, both included, drawn from (run seed,
// group), so that all samples of a group share it and every group has its own.
Window DrawWindow(uint64_t run_seed, uint32_t group, int size, int lo, int hi);
// The window of all groups that the weights after `steps` optimizer steps sample: begin is lo at first, one
// more each `every` steps, and lo again after hi - size. Negative `steps` count as 0.
Window SlidingWindow(int64_t steps, int every, int size, int lo, int hi);

// Hex hash of the grid: what a worker and a learner must agree on.
std::string ScheduleDigest(const std::vector<float>& timesteps);

}  // namespace lvrpo
