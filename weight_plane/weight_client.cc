#include "weight_plane/weight_client.h"

#include <utility>

#include "proto/lvrpo/v1/weights.grpc.pb.h"

namespace lvrpo {
namespace {

class GrpcWeightStream final : public WeightStream {
 public:
  GrpcWeightStream(std::shared_ptr<grpc::Channel> channel, int64_t number, absl::Duration deadline)
      : stub_(v1::WeightSource::NewStub(std::move(channel))), number_(number), deadline_(deadline) {}

  ~GrpcWeightStream() override {
    if (reader_ == nullptr) return;
    context_->TryCancel();
    (void)reader_->Finish();
  }

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    v1::GetManifestRequest request;
    request.set_number(number_);
    v1::WeightManifest manifest;
    const grpc::Status status = stub_->GetManifest(MakeContext(deadline_).get(), request, &manifest);
    if (!status.ok()) return FromGrpcStatus(status);
    return manifest;
  }

  absl::StatusOr<std::optional<WeightPiece>> Next() override {
    if (reader_ == nullptr) {
      v1::StreamWeightsRequest request;
      request.set_number(number_);
      context_ = MakeContext(deadline_);
      reader_ = stub_->StreamWeights(context_.get(), request);
    }
    if (reader_->Read(&chunk_)) {
      return WeightPiece{.bucket = chunk_.bucket(),
                         .offset = chunk_.offset(),
                         .bytes = chunk_.chunk().data(),
                         .crc32 = chunk_.chunk().crc32()};
    }
    const absl::Status status = FromGrpcStatus(reader_->Finish());
    reader_.reset();
    if (!status.ok()) return status;
    return std::nullopt;
  }

 private:
  const std::unique_ptr<v1::WeightSource::Stub> stub_;
  const int64_t number_;
  const absl::Duration deadline_;
  std::unique_ptr<grpc::ClientContext> context_;                 // outlives reader_
  std::unique_ptr<grpc::ClientReader<v1::WeightChunk>> reader_;  // null before the first piece and at the end
  v1::WeightChunk chunk_;
};

}  // namespace

std::unique_ptr<WeightStream> WeightClient::Open(const std::string& holder, int64_t number,
                                                 absl::Duration deadline) {
  return std::make_unique<GrpcWeightStream>(channels_.To(holder), number, deadline);
}

}  // namespace lvrpo
