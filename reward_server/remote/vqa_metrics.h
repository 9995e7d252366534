#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "common/telemetry/metrics.h"

namespace lvrpo {

// What questions to an endpoint came to and cost (docs/operating.md). Thread-safe.
class VqaMetrics {
 public:
  // Prices of a million tokens; both 0: there is no metric of the cost.
  VqaMetrics(Metrics& metrics, double input_price, double output_price);

  // A request that got no answer, after its repetitions.
  void CountFailure(const absl::Status& failure);
  // One that did; `answer` says whether it is of use.
  void CountReply(int64_t input_tokens, int64_t output_tokens, const absl::Status& answer);

  prometheus::Counter& cache_hits;
  prometheus::Counter& floored;

 private:
  const double input_price_, output_price_;
  std::map<std::string, prometheus::Counter*> requests_;  // by outcome
  prometheus::Counter& input_tokens_;
  prometheus::Counter& output_tokens_;
  prometheus::Counter* cost_ = nullptr;
};

}  // namespace lvrpo
