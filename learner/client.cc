#include "learner/client.h"

#include "common/hash.h"
#include "proto/lvrpo/v1/trajectory.grpc.pb.h"

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

}  // namespace lvrpo
