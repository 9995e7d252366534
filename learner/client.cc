#include "learner/client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "proto/lvrpo/v1/trajectory.grpc.pb.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"

namespace lvrpo {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

}  // namespace

absl::Status LearnerClient::Upload(const std::string& address, const v1::UploadHeader& header,
                                   const std::string& bytes, absl::Duration deadline) {
  const auto stub = v1::TrajectoryInbox::NewStub(channels_.To(address));
  const auto context = MakeContext(deadline);
  v1::UploadResponse response;
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t begin = 0; open && begin < bytes.size(); begin += kChunkBytes) {
    v1::Chunk& chunk = *request.mutable_chunk();
    chunk.set_data(bytes.substr(begin, kChunkBytes));
    chunk.set_crc32(Crc32(chunk.data()));
    open = writer->Write(request);
  }
  writer->WritesDone();
  if (absl::Status status = FromGrpcStatus(writer->Finish()); !status.ok()) return status;
  if (response.digest() != header.digest())
    return absl::DataLossError("the learner stored other bytes than were sent");
  return absl::OkStatus();
}

absl::StatusOr<LearnerClient::Weights> LearnerClient::FetchWeights(
    const std::string& address, const v1::PolicyVersion& version, const CheckManifest& check,
    absl::Duration deadline, const std::function<void(int64_t)>& on_bytes) {
  const auto stub = v1::WeightSource::NewStub(channels_.To(address));
  Weights weights;
  v1::GetManifestRequest manifest_request;
  manifest_request.set_number(version.number());
  absl::Status status =
      FromGrpcStatus(stub->GetManifest(MakeContext(deadline).get(), manifest_request, &weights.manifest));
  if (!status.ok()) return status;
  if (weights.manifest.version().digest() != version.digest()) {
    return absl::DataLossError(
        absl::StrCat(address, " has version ", version.number(), " with another digest"));
  }
  if (status = check(weights.manifest); !status.ok()) return status;
  weights.buckets.resize(static_cast<size_t>(weights.manifest.buckets_size()));
  v1::StreamWeightsRequest request;
  request.set_number(version.number());
  const auto context = MakeContext(deadline);
  const auto reader = stub->StreamWeights(context.get(), request);
  v1::WeightChunk part;
  while (reader->Read(&part)) {
    const auto index = static_cast<size_t>(part.bucket());
    if (index >= weights.buckets.size() ||
        part.offset() != static_cast<int64_t>(weights.buckets[index].size()) ||
        static_cast<int64_t>(part.chunk().data().size()) >
            weights.manifest.buckets(static_cast<int>(index)).size() - part.offset() ||
        Crc32(part.chunk().data()) != part.chunk().crc32()) {
      context->TryCancel();
      (void)reader->Finish();
      return absl::DataLossError(absl::StrCat("a damaged piece of weights came from ", address));
    }
    weights.buckets[index] += part.chunk().data();
    if (on_bytes) on_bytes(static_cast<int64_t>(part.chunk().data().size()));
  }
  if (status = FromGrpcStatus(reader->Finish()); !status.ok()) return status;
  for (size_t i = 0; i < weights.buckets.size(); ++i) {
    const v1::BucketEntry& expected = weights.manifest.buckets(static_cast<int>(i));
    if (static_cast<int64_t>(weights.buckets[i].size()) != expected.size() ||
        Sha256Hex(weights.buckets[i]) != expected.sha256()) {
      return absl::DataLossError(absl::StrCat("bucket ", i, " of version ", version.number(), " from ",
                                              address, " does not match its checksum"));
    }
  }
  return weights;
}

}  // namespace lvrpo
