#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "common/stopwatch.h"
#include "nlohmann/json.hpp"

// Repeated timing in the form that tests/benchmarks/peers/measure.py has, so that both print the same JSON.
namespace lvrpo {

// Seconds of the wall clock, and of all threads together on processors.
struct Elapsed {
  double wall, cpu;
};
inline Elapsed TimeOf(const std::function<void()>& run) {
  const auto cpu_seconds = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  };
  const double cpu = cpu_seconds();
  const Stopwatch watch;
  run();
  return {watch.Seconds(), cpu_seconds() - cpu};
}

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

inline double Rounded(double value, double unit) { return std::round(value / unit) * unit; }

// Times `repeats` runs, each of which makes `count` things called `what`, after one warm-up run.
inline nlohmann::json Timed(const std::function<void()>& run, int repeats, int64_t count,
                            const std::string& what) {
  run();
  std::vector<double> wall, cpu;
  for (int i = 0; i < repeats; ++i) {
    const Elapsed elapsed = TimeOf(run);
    wall.push_back(elapsed.wall);
    cpu.push_back(elapsed.cpu);
  }
  const double median = Median(wall);
  return {{"seconds_min", Rounded(*std::min_element(wall.begin(), wall.end()), 1e-4)},
          {"seconds_median", Rounded(median, 1e-4)},
          {"cpu_seconds_median", Rounded(Median(cpu), 1e-4)},
          {"repeats", repeats},
          {what + "_per_second", Rounded(static_cast<double>(count) / median, .01)}};
}

// Peak memory of this process.
inline double PeakRssMb() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return Rounded(static_cast<double>(usage.ru_maxrss) / 1024, .1);
}

}  // namespace lvrpo
