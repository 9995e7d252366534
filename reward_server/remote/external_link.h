#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/net/retry.h"
#include "proto/lvrpo/v1/external_scorer.pb.h"
#include "reward_server/remote/http/http.h"

namespace lvrpo {

// The connection to an external scorer: gRPC or JSON over HTTP. Calls that failed for lack of capacity or
// connection are retried within the deadline. Called by one thread at a time.
class ExternalLink {
 public:
  virtual ~ExternalLink() = default;
  // The scorer's digest. Retries until there is an answer or the deadline has passed.
  virtual absl::StatusOr<std::string> Describe() = 0;
  // The scorer's answer, with its form checked but not its values. InvalidArgument: no scorer can score this.
  virtual absl::StatusOr<v1::ScoreSamplesResponse> ScoreSamples(const v1::ScoreSamplesRequest& request) = 0;
};

struct LinkOptions {
  absl::Duration deadline = absl::Seconds(20);  // of one call, retries included
  int max_message_mib = 64;                     // gRPC: largest request and answer
  bool use_proxy = false;                       // gRPC: whether to use the environment's proxies
  RetryPolicy retry = {};
  Waiting waiting = {};
};
// One call at a time over HTTP.
inline HttpOptions ToHttpOptions(const LinkOptions& options) {
  return {.concurrency = 1, .timeout = options.deadline, .total = options.deadline};
}

}  // namespace lvrpo
