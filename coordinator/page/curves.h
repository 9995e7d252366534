#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/map.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Figures of all steps of a run in bounded memory: each figure has at most kMostPoints points, which are
// means over equally many steps once there are more steps than that. Not thread-safe.
class Curves {
 public:
  static constexpr size_t kMostPoints = 400, kMostFigures = 64;

  // Steps come in order. A step that is there already has been abandoned, and all later ones with it.
  void Add(int64_t step, double unix_seconds, const google::protobuf::Map<std::string, double>& figures);

  // {"figures": {"reward": [[step, mean], ...], ...}, "seconds_per_step": s or null, "steps": n}.
  // `seconds_per_step`: over the newest steps.
  nlohmann::json ToJson() const;

 private:
  struct Point {
    int64_t first = 0, last = 0;  // steps
    double sum = 0;
    int64_t count = 0;
  };

  void Abandon(int64_t step);
  void AddTo(std::vector<Point>& points, int64_t step, double value) const;
  void Halve();

  std::map<std::string, std::vector<Point>> figures_;
  std::vector<std::pair<int64_t, double>> times_;  // of the newest steps
  int64_t stride_ = 1;                             // steps of a point
  int64_t steps_ = 0;
};

}  // namespace lvrpo
