// Attention of one decode step, by the two kernels that can do it (model/kernels/README.md): `attend` reads
// keys as they lie, `attend_rows` packed ones, which a table would have to keep or to pack in each step.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "common/random.h"
#include "common/stopwatch.h"
#include "model/kernels/cpu_kernels.h"

namespace lvrpo {
namespace {

constexpr int64_t kTableBytes = int64_t{24}
                                << 20;  // of keys and values, as a table of slots has: beyond the caches
constexpr int kRepeats = 9;

std::vector<float> RandomFloats(int64_t count) {
  Random random(static_cast<uint64_t>(count));
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(random.Uniform(-.5, .5));
  return values;
}

double MedianSeconds(const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int i = 0; i < kRepeats; ++i) {
    const Stopwatch watch;
    run();
    seconds.push_back(watch.Seconds());
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRepeats / 2, seconds.end());
  return seconds[kRepeats / 2];
}

void Measure(const CpuKernels& kernels, int64_t d, int64_t length, int64_t queries) {
  const auto pad = [&](int64_t n) { return (n + kernels.nr - 1) / kernels.nr * kernels.nr; };
  const int64_t heads = std::max<int64_t>(1, kTableBytes / (length * d * 8));
  const std::vector<float> q = RandomFloats(queries * d), k = RandomFloats(heads * length * d), v = k;
  std::vector<float> packed(static_cast<size_t>(heads * pad(length) * d)), out(q.size()), stats(2 * q.size()),
      scores(static_cast<size_t>(std::max(4 * (length + 16), kernels.query_rows * pad(length))));
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
  const auto pack = [&](int64_t head) {
    kernels.pack(k.data() + head * length * d, d, length, d, packed.data() + head * pad(length) * d);
  };
  const auto by_rows = [&](int64_t head) {
    const AttentionHead attention = {.queries = queries,
                                     .length = length,
                                     .d = d,
                                     .scale = scale,
                                     .q = q.data(),
                                     .q_stride = d,
                                     .packed_keys = packed.data() + head * pad(length) * d,
                                     .values = v.data() + head * length * d,  // d is a multiple of nr
                                     .mask = nullptr,
                                     .mask_stride = 0};
    kernels.attend_rows(attention, scores.data(), out.data(), d, stats.data());
  };
  const auto all = [&](const std::function<void(int64_t)>& run) {
    return MedianSeconds([&] {
      for (int64_t head = 0; head < heads; ++head) run(head);
    });
  };
  const double attend = all([&](int64_t head) {
    kernels.attend(q.data(), queries, k.data() + head * length * d, v.data() + head * length * d, length, d,
                   scale, scores.data(), out.data());
  });
  const double packing = all([&](int64_t head) {
    pack(head);
    by_rows(head);
  });
  std::printf("| %s | %ld | %ld | %ld | %.2f us | %.2fx | %.2fx |\n", kernels.name, d, length, queries,
              attend / static_cast<double>(heads) * 1e6, all(by_rows) / attend, packing / attend);
}

}  // namespace
}  // namespace lvrpo

int main() {
  std::printf(
      "| kernels | d | keys | queries | attend | attend_rows, keys packed | the same, packing them first |\n"
      "|---|---|---|---|---|---|---|\n");
  const lvrpo::CpuKernelSets sets = lvrpo::AvailableCpuKernels();
  for (int set = 0; set < sets.count; ++set) {
    for (const int64_t d : {64, 128}) {
      for (const int64_t length : {64, 256, 1024}) {
        for (const int64_t queries : {1, 2, 4, 7}) lvrpo::Measure(*sets.sets[set], d, length, queries);
      }
    }
  }
  return 0;
}
