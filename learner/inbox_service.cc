#include "learner/inbox_service.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/rpc.h"

namespace lvrpo {

absl::Status InboxService::Receive(grpc::ServerReader<v1::UploadRequest>& reader,
                                   v1::UploadResponse& response) {
  v1::UploadRequest part;
  if (!reader.Read(&part) || !part.has_header()) {
    return absl::InvalidArgumentError("an upload begins with its header");
  }
  const v1::UploadHeader header = part.header();
  const std::string run = run_id_();
  if (run.empty()) return absl::UnavailableError("the learner is still starting");
  if (header.fence().run_id() != run) {
    v1::ErrorInfo info;
    info.set_reason("WRONG_RUN");
    return WithReason(absl::FailedPreconditionError(absl::StrCat("this learner works for run ", run)), info);
  }
  if (header.size_bytes() < 0 || header.size_bytes() > max_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("a group of ", header.size_bytes(), " bytes is too large"));
  }
  if (header.ordinal() < 0 || header.attempt() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no ordinal ", header.ordinal(), " attempt ", header.attempt()));
  }
  std::string bytes;  // grows with what arrives, not with what was announced
  while (reader.Read(&part)) {
    if (!part.has_chunk() || Crc32(part.chunk().data()) != part.chunk().crc32()) {
      return absl::DataLossError(absl::StrCat("a damaged piece of ordinal ", header.ordinal(), " arrived"));
    }
    bytes += part.chunk().data();
    if (static_cast<int64_t>(bytes.size()) > header.size_bytes()) break;
  }
  if (static_cast<int64_t>(bytes.size()) != header.size_bytes()) {
    return absl::DataLossError(absl::StrCat("ordinal ", header.ordinal(), " was announced with ",
                                            header.size_bytes(), " bytes and came with ", bytes.size()));
  }
  if (absl::Status status = spool_.Put(header.ordinal(), header.attempt(), header.digest(), bytes);
      !status.ok()) {
    return status;
  }
  metrics_.Counter("lvrpo_learner_trajectory_bytes_total", "Bytes of trajectories received.")
      .Increment(static_cast<double>(bytes.size()));
  response.set_digest(header.digest());
  return absl::OkStatus();
}

grpc::Status InboxService::Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                                  v1::UploadResponse* response) {
  const absl::Status status = Receive(*reader, *response);
  metrics_
      .Counter("lvrpo_learner_uploads_total", "Groups received, by outcome.",
               {{"outcome", status.ok() ? "stored" : std::string(absl::StatusCodeToString(status.code()))}})
      .Increment();
  return ToGrpcStatus(status);
}

}  // namespace lvrpo
