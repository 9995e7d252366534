#include "common/net/rpc_guard.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <grpc/support/alloc.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/method_handler.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/net/rights.h"
#include "common/net/rpc.h"

namespace lvrpo {

using Methods = std::vector<std::unique_ptr<grpc::internal::RpcServiceMethod>>;
Methods& MethodsOf(grpc::Service& service);
// gRPC 1.51 offers no server interceptor that can refuse a call, so handlers are wrapped. The methods of a
// service are private to it; an explicit instantiation may name them.
template <auto methods>
struct RevealMethods {
  friend Methods& MethodsOf(grpc::Service& service) { return service.*methods; }
};
template struct RevealMethods<&grpc::Service::methods_>;

namespace {

using grpc::internal::MethodHandler;

std::vector<std::string> UrisOf(const grpc_auth_context* context) {
  std::vector<std::string> uris;
  grpc_auth_property_iterator at =
      grpc_auth_context_find_properties_by_name(context, GRPC_PEER_URI_PROPERTY_NAME);
  while (const grpc_auth_property* property = grpc_auth_property_iterator_next(&at))
    uris.emplace_back(property->value, property->value_length);
  return uris;
}

RpcGuard::Caller CallerOf(grpc_call* call) {
  RpcGuard::Caller caller;
  if (char* peer = grpc_call_get_peer(call); peer != nullptr) {
    caller.host = PeerHost(peer);
    gpr_free(peer);
  }
  if (grpc_auth_context* context = grpc_call_auth_context(call); context != nullptr) {
    if (absl::StatusOr<PeerIdentity> identity = PeerIdentityOf(UrisOf(context)); identity.ok())
      caller.identity = *std::move(identity);
    grpc_auth_context_release(context);
  }
  return caller;
}

template <grpc::StatusCode code>
void AnswerWith(const std::string& message, const MethodHandler::HandlerParameter& parameter) {
  grpc::internal::ErrorMethodHandler<code>(message).RunHandler(parameter);
}

class GuardedHandler : public MethodHandler {
 public:
  GuardedHandler(std::string method, bool streams_in, MethodHandler& inner, RpcGuard& guard)
      : method_(std::move(method)), streams_in_(streams_in), inner_(inner), guard_(guard) {}

  // Called before RunHandler, unless the client streams.
  void* Deserialize(grpc_call* call, grpc_byte_buffer* bytes, grpc::Status* status, void** data) override {
    const int64_t size = bytes == nullptr ? 0 : static_cast<int64_t>(grpc_byte_buffer_length(bytes));
    auto place = guard_.Admit(method_, CallerOf(call), size);
    if (!place.ok()) {
      if (bytes != nullptr) grpc_byte_buffer_destroy(bytes);
      *status = ToGrpcStatus(place.status());
      return nullptr;
    }
    auto admitted = std::make_unique<Admitted>(Admitted{*std::move(place), nullptr});
    admitted->request = inner_.Deserialize(call, bytes, status, data);
    return status->ok() ? admitted.release() : nullptr;
  }

  void RunHandler(const HandlerParameter& given) override {
    if (streams_in_) return RunStream(given);
    const std::unique_ptr<Admitted> admitted(static_cast<Admitted*>(given.request));
    inner_.RunHandler(HandlerParameter(given.call, given.server_context,
                                       admitted == nullptr ? nullptr : admitted->request, given.status,
                                       given.internal_data, given.call_requester));
  }

 private:
  // What Deserialize hands to RunHandler in place of the request.
  struct Admitted {
    std::unique_ptr<PeerLimits::Call> place;
    void* request;  // the inner handler's
  };

  void RunStream(const HandlerParameter& given) {
    const auto place = guard_.Admit(method_, CallerOf(given.call->call()), 0);
    if (place.ok()) {
      inner_.RunHandler(given);
    } else if (absl::IsPermissionDenied(place.status())) {
      AnswerWith<grpc::StatusCode::PERMISSION_DENIED>(std::string(place.status().message()), given);
    } else {
      AnswerWith<grpc::StatusCode::RESOURCE_EXHAUSTED>(std::string(place.status().message()), given);
    }
  }

  const std::string method_;
  const bool streams_in_;
  MethodHandler& inner_;
  RpcGuard& guard_;
};

class GuardedService : public grpc::Service {
 public:
  void Add(grpc::internal::RpcServiceMethod& method, RpcGuard& guard) {
    using grpc::internal::RpcMethod;
    const bool streams_in = method.method_type() == RpcMethod::CLIENT_STREAMING ||
                            method.method_type() == RpcMethod::BIDI_STREAMING;
    AddMethod(new grpc::internal::RpcServiceMethod(
        method.name(), method.method_type(),
        new GuardedHandler(method.name(), streams_in, *method.handler(), guard)));
  }
};

// "Coordinator/Drain" of "/lvrpo.v1.Coordinator/Drain".
std::string ShortName(const std::string& method) {
  const size_t slash = method.rfind('/'), dot = method.rfind('.', slash);
  return method.substr(dot == std::string::npos ? 0 : dot + 1);
}

std::string InWords(const RpcGuard::Caller& caller) {
  return absl::StrCat(
      caller.host, caller.identity.has_value() ? absl::StrCat(" (", Word(caller.identity->role), ")") : "");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PeerLimits::Call>> RpcGuard::Admit(const std::string& method,
                                                                  const Caller& caller, int64_t bytes) {
  const std::string name = ShortName(method);
  const auto refuse = [&](const char* reason, absl::Status status) {
    denials_->Note(name, reason, absl::StrCat(InWords(caller), ": ", status.message()));
    return status;
  };
  const MethodRight* right = FindRight(method);
  if (by_role_) {
    if (!caller.identity.has_value())
      return refuse("no_identity", absl::PermissionDeniedError("the certificate names no role of ours"));
    if (!MayCall(caller.identity->role, method)) {
      return refuse("not_allowed",
                    absl::PermissionDeniedError(absl::StrCat(
                        name, " is not for the role ", Word(caller.identity->role), " of your certificate",
                        right == nullptr ? "" : absl::StrCat(", but for ", lvrpo::InWords(right->roles)))));
    }
  }
  if (right != nullptr && right->most_bytes > 0 && bytes > right->most_bytes) {
    return refuse("too_large",
                  absl::ResourceExhaustedError(absl::StrCat(
                      name, ": a request of ", bytes, " bytes is larger than max ", right->most_bytes)));
  }
  auto place = limits_.Begin(
      absl::StrCat(caller.host, caller.identity.has_value() ? Word(caller.identity->role) : ""));
  if (!place.ok()) return refuse("too_many", place.status());
  return place;
}

absl::StatusOr<std::unique_ptr<grpc::Service>> Guarded(grpc::Service& service, RpcGuard& guard) {
  auto guarded = std::make_unique<GuardedService>();
  for (const auto& method : MethodsOf(service)) {
    if (method == nullptr || method->handler() == nullptr ||
        method->api_type() != grpc::internal::RpcServiceMethod::ApiType::SYNC)
      return absl::InternalError("only synchronous services can be served");
    guarded->Add(*method, guard);
  }
  return guarded;
}

int64_t LargestRequest(grpc::Service& service, int64_t most) {
  int64_t largest = 0;
  for (const auto& method : MethodsOf(service)) {
    const MethodRight* right = method == nullptr ? nullptr : FindRight(method->name());
    const bool bounded = right != nullptr && right->most_bytes > 0;
    largest = std::max(largest, bounded ? std::min(right->most_bytes, most) : most);
  }
  return largest;
}

std::optional<PeerRole> CallerRole(const grpc::ServerContext* context) {
  if (context == nullptr) return std::nullopt;
  std::vector<std::string> uris;
  for (const grpc::string_ref& uri : context->auth_context()->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME))
    uris.emplace_back(uri.data(), uri.size());
  const absl::StatusOr<PeerIdentity> identity = PeerIdentityOf(uris);
  if (!identity.ok()) return std::nullopt;
  return identity->role;
}

std::string PeerHost(const std::string& peer) {
  const std::string without_port = peer.substr(0, peer.rfind(':'));
  return without_port.substr(without_port.find(':') + 1);
}

}  // namespace lvrpo
