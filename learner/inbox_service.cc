#include "learner/inbox_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/rpc.h"
#include "common/telemetry/log_group.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

void InboxService::Open(std::function<OpenLeases()> leases) {
  absl::MutexLock lock(&mutex_);
  leases_ = std::move(leases);
}

OpenLeases InboxService::Leases() const {
  absl::MutexLock lock(&mutex_);
  return leases_ ? leases_() : OpenLeases();
}

absl::Status InboxService::Receive(grpc::ServerContext& context,
                                   grpc::ServerReader<v1::UploadRequest>& reader,
                                   v1::UploadResponse& response) {
  const std::unique_ptr<CallWatch::Call> call = watch_.Begin([&context] { context.TryCancel(); });
  if (call == nullptr) {
    v1::ErrorInfo info;
    info.set_reason(v1::REFUSAL_TOO_MANY_UPLOADS);
    info.set_retry_after_seconds(0.5);
    return WithReason(absl::ResourceExhaustedError("the learner receives as many groups as it can"), info);
  }
  v1::UploadRequest part;
  if (!reader.Read(&part) || !part.has_header()) {
    return absl::InvalidArgumentError("an upload begins with its header");
  }
  const v1::UploadHeader header = part.header();
  const LogGroup about(header.lease());
  if (absl::Status status = CheckUpload(header, Leases(), most_bytes_); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<Spool::Writer>> writer =
      spool_.Begin(header.lease().ordinal(), header.lease().attempt(), header.digest(), header.size_bytes());
  if (!writer.ok()) return writer.status();
  while (reader.Read(&part)) {
    call->Heard();
    if (!part.has_chunk() || Crc32(part.chunk().data()) != part.chunk().crc32()) {
      return absl::DataLossError(
          absl::StrCat("a damaged piece of ordinal ", header.lease().ordinal(), " arrived"));
    }
    if (absl::Status status = (*writer)->Append(part.chunk().data()); !status.ok()) return status;
  }
  if (absl::Status status = (*writer)->Commit(); !status.ok()) return status;
  metrics_.Counter("lvrpo_learner_trajectory_bytes_total")
      .Increment(static_cast<double>(header.size_bytes()));
  metrics_.Gauge("lvrpo_learner_spool_bytes").Set(static_cast<double>(spool_.bytes()));
  spdlog::debug("stored ordinal {}, {} bytes", header.lease().ordinal(), header.size_bytes());
  response.set_digest(header.digest());
  return absl::OkStatus();
}

grpc::Status InboxService::Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                                  v1::UploadResponse* response) {
  const absl::Status status = Receive(*context, *reader, *response);
  metrics_
      .Counter("lvrpo_learner_uploads_total",
               {{"outcome", status.ok() ? "stored" : std::string(absl::StatusCodeToString(status.code()))}})
      .Increment();
  return ToGrpcStatus(status);
}

}  // namespace lvrpo
