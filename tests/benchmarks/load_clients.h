#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/reward.pb.h"

// Clients that load reward servers, and the outcomes of their requests.
namespace lvrpo {

// Request number `index`. Called by several threads at once.
using RequestSource = std::function<v1::ScoreRequest(int64_t index)>;

// Outcomes of requests; each is counted once.
struct LoadResult {
  int64_t sent = 0;
  int64_t complete = 0;  // every component of every sample has a score
  int64_t typed = 0;     // answered; some component has no score and says why
  int64_t refused = 0;   // RESOURCE_EXHAUSTED that says when to retry
  int64_t failed = 0;    // anything else: no result and no typed refusal
  std::string first_failure;
  std::map<std::string, int64_t> outcomes;  // of samples' components and guards without a score
  std::vector<double> latencies;            // of complete ones, seconds from when they were due
  std::vector<double> refusal_latencies;
  double seconds = 0;  // from the first that was due to the last answer

  int64_t accounted() const { return complete + typed + refused + failed; }
  double complete_per_second() const { return static_cast<double>(complete) / seconds; }
  void Add(const LoadResult& other);
};

// The smallest value that `share` of the values do not exceed; 0 of none.
double Percentile(std::vector<double> values, double share);

struct LoadOptions {
  int threads = 8;
  int max_message_mib = 64;
  absl::Duration deadline = absl::Seconds(60);
};

// Seconds from the start at which requests are due: a Poisson process conditioned on `per_second * seconds`
// arrivals, so that the rate is exact. A function of the seed.
std::vector<double> PoissonArrivals(double per_second, double seconds, uint64_t seed);

// Open loop: request i is sent when it is due, whatever the state of earlier ones. Thread t sends every
// `threads`-th. Latency counts from when a request was due.
LoadResult LoadOpen(const std::string& address, const RequestSource& source,
                    const std::vector<double>& arrivals, const LoadOptions& options);

// Closed loop: every thread keeps `in_flight` requests open until `duration` has passed. A request goes to
// all servers at once and has an answer when all have answered.
LoadResult LoadClosed(const std::vector<std::string>& addresses, const RequestSource& source, int in_flight,
                      absl::Duration duration, const LoadOptions& options);

}  // namespace lvrpo
