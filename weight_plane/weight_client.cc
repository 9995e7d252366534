#include "weight_plane/weight_client.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"
#include "weight_plane/rpc_chunk.h"

namespace lvrpo {
namespace {

// One call of StreamWeights, whose messages are taken as bytes. Every operation has an end: cancelling
// completes it.
class ChunkCall {
 public:
  ChunkCall(const std::shared_ptr<grpc::Channel>& channel, const StreamLimits& limits)
      : stub_(channel), limits_(limits), context_(MakeContext(limits.whole)) {}

  ~ChunkCall() {
    context_->TryCancel();
    if (call_ != nullptr && !finished_) (void)Finish();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // OutOfRange when the holder has ended the stream, here and in Read().
  absl::Status Start(const v1::StreamWeightsRequest& request) {
    static const auto* method =
        new std::string(absl::StrCat("/", v1::WeightSource::service_full_name(), "/StreamWeights"));
    call_ = stub_.PrepareCall(context_.get(), *method, &queue_);
    call_->StartCall(this);
    if (!Await()) return End();
    grpc::ByteBuffer message;
    bool own = false;
    (void)grpc::SerializationTraits<v1::StreamWeightsRequest>::Serialize(request, &message, &own);
    call_->WriteLast(message, grpc::WriteOptions(), this);
    return Await() ? absl::OkStatus() : End();
  }

  // The next message. Not after an error.
  absl::Status Read(grpc::ByteBuffer& message) {
    call_->Read(&message, this);
    return Await() ? absl::OkStatus() : End();
  }

 private:
  // Whether the operation in progress succeeded. Cancels it when nothing happens for too long.
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = absl::ToChronoTime(absl::Now() + limits_.silence);
    if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) return ok;
    silent_ = true;
    context_->TryCancel();
    queue_.Next(&tag, &ok);
    return ok;
  }

  // Why nothing more can be done with the call.
  absl::Status End() {
    const absl::Status status = Finish();
    return status.ok() ? absl::OutOfRangeError("the stream has ended") : status;
  }

  // How the call ended. Once: gRPC ends the process otherwise.
  absl::Status Finish() {
    grpc::Status status;
    call_->Finish(&status, this);
    finished_ = true;
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    if (silent_) {
      return absl::DeadlineExceededError(
          absl::StrCat("nothing came for ", absl::FormatDuration(limits_.silence)));
    }
    return FromGrpcStatus(status);
  }

  grpc::GenericStub stub_;
  const StreamLimits limits_;
  grpc::CompletionQueue queue_;
  const std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool silent_ = false, finished_ = false;
};

class GrpcWeightStream final : public WeightStream {
 public:
  GrpcWeightStream(std::shared_ptr<grpc::Channel> channel, int64_t number, const StreamLimits& limits)
      : channel_(std::move(channel)), number_(number), limits_(limits) {}

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    v1::GetManifestRequest request;
    request.set_number(number_);
    v1::WeightManifest manifest;
    const absl::Duration deadline = std::min(limits_.whole, limits_.silence);
    const grpc::Status status =
        v1::WeightSource::NewStub(channel_)->GetManifest(MakeContext(deadline).get(), request, &manifest);
    if (!status.ok()) return FromGrpcStatus(status);
    return manifest;
  }

  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    absl::Status status;
    if (call_ == nullptr) {
      v1::StreamWeightsRequest request;
      request.set_number(number_);
      request.set_first_bucket(bucket);
      call_ = std::make_unique<ChunkCall>(channel_, limits_);
      status = call_->Start(request);
    }
    grpc::ByteBuffer message;
    if (status.ok()) status = call_->Read(message);
    if (absl::IsOutOfRange(status))
      return absl::DataLossError(absl::StrCat("the stream ended in bucket ", bucket));
    if (!status.ok()) return status;
    return DecodeChunk(message, {.bucket = bucket, .offset = offset}, into);
  }

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const int64_t number_;
  const StreamLimits limits_;
  std::unique_ptr<ChunkCall> call_;  // null before the first Read()
};

}  // namespace

std::unique_ptr<WeightStream> WeightClient::Open(const std::string& holder, int64_t number,
                                                 const StreamLimits& limits) {
  return std::make_unique<GrpcWeightStream>(channels_.To(holder), number, limits);
}

}  // namespace lvrpo
