#include "coordinator/page/curves.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"

namespace lvrpo {
namespace {

constexpr size_t kTimes = 32;

// Figures that the page draws.
bool IsShown(const std::string& name) {
  for (const char* prefix : {"reward", "logged_", "heldout", "seconds_", "groups_", "staleness"}) {
    if (absl::StartsWith(name, prefix)) return true;
  }
  for (const char* suffix : {"_kl", "_clip_low", "_clip_high", "_gradient_norm"}) {
    if (absl::EndsWith(name, suffix)) return true;
  }
  return false;
}

}  // namespace

void Curves::Abandon(int64_t step) {
  for (auto& [name, points] : figures_) {
    while (!points.empty() && points.back().last >= step) points.pop_back();
  }
  while (!times_.empty() && times_.back().first >= step) times_.pop_back();
}

void Curves::AddTo(std::vector<Point>& points, int64_t step, double value) const {
  if (points.empty() || points.back().first / stride_ != step / stride_)
    points.push_back({.first = step, .last = step, .sum = 0, .count = 0});
  points.back().last = step;
  points.back().sum += value;
  ++points.back().count;
}

void Curves::Halve() {
  stride_ *= 2;
  for (auto& [name, points] : figures_) {
    std::vector<Point> merged;
    for (const Point& point : points) {
      if (!merged.empty() && merged.back().first / stride_ == point.first / stride_) {
        merged.back().last = point.last;
        merged.back().sum += point.sum;
        merged.back().count += point.count;
      } else {
        merged.push_back(point);
      }
    }
    points = std::move(merged);
  }
}

void Curves::Add(int64_t step, double unix_seconds,
                 const google::protobuf::Map<std::string, double>& figures) {
  if (step < steps_) Abandon(step);
  steps_ = step + 1;
  times_.emplace_back(step, unix_seconds);
  if (times_.size() > kTimes) times_.erase(times_.begin());
  for (const auto& [name, value] : figures) {
    if (!std::isfinite(value) || !IsShown(name)) continue;
    if (!figures_.contains(name) && figures_.size() >= kMostFigures) continue;
    AddTo(figures_[name], step, value);
  }
  while (steps_ / stride_ >= static_cast<int64_t>(kMostPoints)) Halve();
}

nlohmann::json Curves::ToJson() const {
  nlohmann::json json = {
      {"steps", steps_}, {"seconds_per_step", nullptr}, {"figures", nlohmann::json::object()}};
  if (times_.size() > 1 && times_.back().second >= times_.front().second) {
    json["seconds_per_step"] = (times_.back().second - times_.front().second) /
                               static_cast<double>(times_.back().first - times_.front().first);
  }
  for (const auto& [name, points] : figures_) {
    nlohmann::json& drawn = json["figures"][name] = nlohmann::json::array();
    for (const Point& point : points)
      drawn.push_back({static_cast<double>(point.first + point.last) / 2 + 1,
                       point.sum / static_cast<double>(point.count)});
  }
  return json;
}

}  // namespace lvrpo
