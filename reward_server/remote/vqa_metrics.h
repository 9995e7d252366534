#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "common/telemetry/metrics.h"

namespace lvrpo {

// Metrics of the outcomes and cost of questions to an endpoint (docs/operating.md). Thread-safe.
class VqaMetrics {
 public:
  // Prices per million tokens; both 0: no cost metric.
  VqaMetrics(Metrics& metrics, double input_price, double output_price);

  // A request that failed after all retries.
  void CountFailure(const absl::Status& failure);
  // One that was answered; `answer` says whether it was usable.
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
