#include "common/net/rpc_meter.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "common/net/rights.h"
#include "common/net/rpc.h"
#include "common/stopwatch.h"

namespace lvrpo {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

// Unknown methods, which clients may invent, share one word.
std::string NameOf(absl::string_view method) {
  if (FindRight(method) == nullptr) return "other";
  return std::string(method.substr(method.rfind('.') + 1));
}

class MeteredCall final : public Interceptor {
 public:
  MeteredCall(std::string method, const RpcCount& count) : method_(std::move(method)), count_(count) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const absl::Status status = FromGrpcStatus(methods->GetSendStatus());
      count_(method_, absl::StatusCodeToString(status.code()), absl::Seconds(watch_.Seconds()));
    }
    methods->Proceed();
  }

 private:
  const std::string method_;
  const RpcCount& count_;
  const Stopwatch watch_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(RpcCount count) : count_(std::move(count)) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new MeteredCall(NameOf(info->method()), count_);
  }

 private:
  const RpcCount count_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> RpcMeter(RpcCount count) {
  return std::make_unique<Factory>(std::move(count));
}

}  // namespace lvrpo
