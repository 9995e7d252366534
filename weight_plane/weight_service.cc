#include "weight_plane/weight_service.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/rpc.h"

namespace lvrpo {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

grpc::Status NotHere(int64_t number) {
  return ToGrpcStatus(absl::NotFoundError(absl::StrCat("weights of version ", number, " are not here")));
}

}  // namespace

grpc::Status WeightService::GetManifest(grpc::ServerContext*, const v1::GetManifestRequest* request,
                                        v1::WeightManifest* response) {
  const std::shared_ptr<const PackedWeights> weights = kept_.Find(request->number());
  if (weights == nullptr) return NotHere(request->number());
  *response = weights->manifest;
  return grpc::Status::OK;
}

grpc::Status WeightService::StreamWeights(grpc::ServerContext* context,
                                          const v1::StreamWeightsRequest* request,
                                          grpc::ServerWriter<v1::WeightChunk>* writer) {
  const std::shared_ptr<const PackedWeights> weights = kept_.Find(request->number());
  if (weights == nullptr) return NotHere(request->number());
  if (request->first_bucket() < 0)
    return ToGrpcStatus(absl::InvalidArgumentError("first_bucket is negative"));
  const std::unique_ptr<CallWatch::Call> call = watch_.Begin([context] { context->TryCancel(); });
  if (call == nullptr) {
    return ToGrpcStatus(absl::ResourceExhaustedError("weights are sent to as many as is possible at once"));
  }
  v1::WeightChunk part;
  for (auto bucket = static_cast<size_t>(request->first_bucket()); bucket < weights->buckets.size();
       ++bucket) {
    const std::string& bytes = weights->buckets[bucket];
    for (size_t begin = 0; begin < bytes.size(); begin += kChunkBytes) {
      part.set_bucket(static_cast<int64_t>(bucket));
      part.set_offset(static_cast<int64_t>(begin));
      part.mutable_chunk()->set_data(bytes.substr(begin, kChunkBytes));
      part.mutable_chunk()->set_crc32(Crc32(part.chunk().data()));
      if (!writer->Write(part)) return grpc::Status(grpc::StatusCode::CANCELLED, "the receiver went away");
      call->Heard();
      if (on_bytes_) on_bytes_(static_cast<int64_t>(part.chunk().data().size()));
    }
  }
  return grpc::Status::OK;
}

}  // namespace lvrpo
