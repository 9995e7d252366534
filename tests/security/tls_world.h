#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {

// A CA, identities of it, and what a server refused.
class TlsWorld : public ::testing::Test {
 protected:
  using Leaf = TestAuthority::Leaf;

  static std::shared_ptr<TlsContext> Context(const TlsFolder& folder) {
    TlsContext::Options options;
    options.reload = absl::Seconds(1);
    return std::make_shared<TlsContext>(folder, options);
  }
  std::shared_ptr<TlsContext> Identity(const Leaf& leaf) { return Identity(ours_, leaf); }
  // Of another CA; what it trusts is ours, or that other's own.
  std::shared_ptr<TlsContext> Identity(const TestAuthority& authority, const Leaf& leaf,
                                       bool trusts_ours = true) {
    return Context(authority.Write(folder_, "identity-" + std::to_string(identities_++), leaf,
                                   trusts_ours ? ours_.certificate() : authority.certificate()));
  }

  RpcServer::Options ServerOptions(std::shared_ptr<TlsContext> tls) {
    RpcServer::Options options;
    options.tls = std::move(tls);
    options.denied = [this](const std::string& method, const std::string& reason) {
      absl::MutexLock lock(&mutex_);
      ++denied_[method.empty() ? reason : method + " " + reason];
    };
    return options;
  }
  std::map<std::string, int> denied() {
    absl::MutexLock lock(&mutex_);
    return denied_;
  }
  // A connection that the server refuses is noted before, or just after, its client learns of it.
  bool AwaitDenied(const std::string& what) {
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return denied_[what] > 0; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10));
  }

  static ChannelOptions Client(std::shared_ptr<TlsContext> tls, std::vector<PeerRole> servers = {}) {
    ChannelOptions options(64);
    options.tls = std::move(tls);
    return options.To(std::move(servers));
  }
  static absl::Status GetInfo(const std::string& address, const ChannelOptions& options) {
    v1::GetInfoResponse response;
    return FromGrpcStatus(
        v1::Reward::NewStub(MakeChannel(address, options))
            ->GetInfo(MakeContext(absl::Seconds(20)).get(), v1::GetInfoRequest(), &response));
  }

  const TemporaryFolder folder_;
  const TestAuthority ours_;

 private:
  int identities_ = 0;
  absl::Mutex mutex_;
  std::map<std::string, int> denied_ ABSL_GUARDED_BY(mutex_);
};

// A reward server that answers GetInfo, and remembers who asked.
class InfoService final : public v1::Reward::Service {
 public:
  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest*,
                       v1::GetInfoResponse*) override {
    absl::MutexLock lock(&mutex_);
    caller_ = CallerRole(context);
    return grpc::Status::OK;
  }
  std::optional<PeerRole> caller() {
    absl::MutexLock lock(&mutex_);
    return caller_;
  }

 private:
  absl::Mutex mutex_;
  std::optional<PeerRole> caller_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
