#include "weight_plane/weight_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "common/pause_point.h"
#include "weight_plane/rpc_chunk.h"

namespace lvrpo {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

using Kept = std::shared_ptr<const PackedWeights>;

grpc::Status NotHere(int64_t number) {
  return ToGrpcStatus(absl::NotFoundError(absl::StrCat("weights of version ", number, " are not here")));
}

// `size` bytes that a version holds, which lives at least as long as the slice.
grpc::Slice SliceOf(const Kept& weights, const char* bytes, size_t size) {
  return {const_cast<char*>(bytes), size, [](void* kept) { delete static_cast<Kept*>(kept); },
          new Kept(weights)};
}

std::string MethodName(const char* method) {
  return absl::StrCat("/", v1::WeightSource::service_full_name(), "/", method);
}

}  // namespace

// Registers both methods as generated code does, which cannot take messages that it has not made: a stream is
// a loop on a thread of the server's pool.
WeightService::WeightService(CallWatch& watch, size_t kept, std::function<void(int64_t)> on_bytes)
    : get_manifest_(MethodName("GetManifest")),
      stream_weights_(MethodName("StreamWeights")),
      watch_(watch),
      on_bytes_(std::move(on_bytes)),
      kept_(kept) {
  using grpc::internal::RpcMethod;
  using grpc::internal::RpcMethodHandler;
  using grpc::internal::RpcServiceMethod;
  using grpc::internal::ServerStreamingHandler;
  AddMethod(new RpcServiceMethod(
      get_manifest_.c_str(), RpcMethod::NORMAL_RPC,
      new RpcMethodHandler<WeightService, v1::GetManifestRequest, v1::WeightManifest,
                           google::protobuf::MessageLite, google::protobuf::MessageLite>(
          [](WeightService* self, grpc::ServerContext*, const v1::GetManifestRequest* request,
             v1::WeightManifest* response) { return self->GiveManifest(*request, response); },
          this)));
  AddMethod(new RpcServiceMethod(
      stream_weights_.c_str(), RpcMethod::SERVER_STREAMING,
      new ServerStreamingHandler<WeightService, v1::StreamWeightsRequest, grpc::ByteBuffer>(
          [](WeightService* self, grpc::ServerContext* context, const v1::StreamWeightsRequest* request,
             grpc::ServerWriter<grpc::ByteBuffer>* writer) {
            return self->Stream(context, *request, *writer);
          },
          this)));
}

grpc::Status WeightService::GiveManifest(const v1::GetManifestRequest& request,
                                         v1::WeightManifest* response) const {
  const Kept weights = kept_.Find(request.number());
  if (weights == nullptr) return NotHere(request.number());
  *response = weights->manifest;
  return grpc::Status::OK;
}

grpc::Status WeightService::Stream(grpc::ServerContext* context, const v1::StreamWeightsRequest& request,
                                   grpc::ServerWriter<grpc::ByteBuffer>& writer) {
  const Kept weights = kept_.Find(request.number());
  if (weights == nullptr) return NotHere(request.number());
  if (request.first_bucket() < 0) return ToGrpcStatus(absl::InvalidArgumentError("first_bucket is negative"));
  const std::unique_ptr<CallWatch::Call> call = watch_.Begin([context] { context->TryCancel(); });
  if (call == nullptr) {
    return ToGrpcStatus(absl::ResourceExhaustedError("weights are sent to as many as is possible at once"));
  }
  for (int64_t index = request.first_bucket(); index < static_cast<int64_t>(weights->buckets.size());
       ++index) {
    const Bucket& bucket = weights->buckets[static_cast<size_t>(index)];
    for (size_t begin = 0; begin < bucket.size(); begin += kChunkBytes) {
      const size_t size = std::min(kChunkBytes, bucket.size() - begin);
      const grpc::ByteBuffer message = EncodeChunk({.bucket = index, .offset = static_cast<int64_t>(begin)},
                                                   SliceOf(weights, bucket.data() + begin, size));
      if (!writer.Write(message)) return grpc::Status(grpc::StatusCode::CANCELLED, "the receiver went away");
      PausePoint("send");
      call->Heard();
      if (on_bytes_) on_bytes_(static_cast<int64_t>(size));
    }
  }
  return grpc::Status::OK;
}

}  // namespace lvrpo
