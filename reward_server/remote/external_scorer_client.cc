#include "reward_server/remote/external_scorer_client.h"

#include "absl/strings/match.h"
#include "common/hash.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/external_scorer.grpc.pb.h"
#include "reward_server/remote/http/external_tls.h"
#include "reward_server/remote/http/remote_status.h"

namespace lvrpo {
namespace {

// The scorer's status, except that a message beyond the size limits is not retried: it fails every time.
absl::Status Failure(const grpc::Status& status) {
  const absl::Status explained = FromGrpcStatus(status);
  if (TlsTroubleOf(explained) == TlsTrouble::kCertain)
    return absl::FailedPreconditionError(explained.message());
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED &&
      absl::StrContains(status.error_message(), "larger than max")) {
    return OfRemote(absl::DataLossError("a message is too large: " + status.error_message()));
  }
  return OfRemote(explained);
}

ChannelOptions ToChannelOptions(const LinkOptions& options, const absl::StatusOr<ExternalTls>& tls) {
  ChannelOptions channel = options.max_message_mib;
  channel.tls = nullptr;
  if (tls.ok() && !tls->ca.empty()) channel.credentials = TlsToStrangers(tls->ca, tls->certificate, tls->key);
  channel.use_proxy = options.use_proxy;
  return channel;
}

class GrpcLink : public ExternalLink {
 public:
  GrpcLink(const std::string& address, const LinkOptions& options)
      : options_(options),
        seed_(StableHash64(address)),
        stub_(v1::ExternalScorer::NewStub(MakeChannel(address, ToChannelOptions(options, tls_)))) {}

  absl::StatusOr<std::string> Describe() override {
    if (!tls_.ok()) return tls_.status();
    RetryPolicy retry = options_.retry;
    retry.retries = kRetryUntilDeadline;
    v1::DescribeScorerResponse response;
    const absl::Status status = Call(retry, [&](grpc::ClientContext* context) {
      return stub_->Describe(context, v1::DescribeScorerRequest(), &response);
    });
    if (!status.ok()) return status;
    return response.digest();
  }

  absl::StatusOr<v1::ScoreSamplesResponse> ScoreSamples(const v1::ScoreSamplesRequest& request) override {
    v1::ScoreSamplesResponse response;
    const absl::Status status = Call(options_.retry, [&](grpc::ClientContext* context) {
      return stub_->ScoreSamples(context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

 private:
  template <typename Try>
  absl::Status Call(const RetryPolicy& retry, Try once) const {
    const absl::Time deadline = options_.waiting.clock->Now() + options_.deadline;
    for (int tries = 1;; ++tries) {
      const absl::Duration left = deadline - options_.waiting.clock->Now();
      const grpc::Status status = once(MakeContext(left).get());
      if (status.ok()) return absl::OkStatus();
      const absl::Status failure = Failure(status);
      const auto wait =
          WaitBeforeRetry(retry, failure, tries, deadline - options_.waiting.clock->Now(), seed_);
      if (!wait.has_value()) return failure;
      options_.waiting.sleep(*wait);
    }
  }

  const LinkOptions options_;
  const uint64_t seed_;
  const absl::StatusOr<ExternalTls> tls_ = ExternalTlsFromEnvironment();
  const std::unique_ptr<v1::ExternalScorer::Stub> stub_;
};

}  // namespace

std::unique_ptr<ExternalLink> MakeGrpcLink(const std::string& address, const LinkOptions& options) {
  return std::make_unique<GrpcLink>(address, options);
}

}  // namespace lvrpo
