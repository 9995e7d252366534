#include "learner/inbox_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/net/rpc.h"
#include "common/net/rpc_guard.h"
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

namespace {

absl::Status Later(const char* why) {
  v1::ErrorInfo info;
  info.set_reason(v1::REFUSAL_TOO_MANY_UPLOADS);
  info.set_retry_after_seconds(0.5);
  return WithReason(absl::ResourceExhaustedError(why), info);
}

}  // namespace

absl::StatusOr<v1::UploadHeader> InboxService::ReceiveHeader(grpc::ServerContext& context,
                                                             grpc::ServerReader<v1::UploadRequest>& reader) {
  const std::string host = PeerHost(context.peer());
  const auto of_peer = by_peer_.Begin(host);
  const std::unique_ptr<CallWatch::Call> call = greetings_.Begin([&context] { context.TryCancel(); });
  if (!of_peer.ok() || call == nullptr) {
    spdlog::warn("many uploads begin and send nothing, of {} too", host);
    return Later("too many uploads begin at once");
  }
  v1::UploadRequest first;
  if (!reader.Read(&first)) return absl::DeadlineExceededError("the upload has sent nothing");
  if (!first.has_header()) return absl::InvalidArgumentError("an upload begins with its header");
  if (absl::Status status = CheckUpload(first.header(), Leases(), most_bytes_); !status.ok()) return status;
  return first.header();
}

absl::Status InboxService::Receive(grpc::ServerContext& context,
                                   grpc::ServerReader<v1::UploadRequest>& reader,
                                   v1::UploadResponse& response) {
  const absl::StatusOr<v1::UploadHeader> received = ReceiveHeader(context, reader);
  if (!received.ok()) return received.status();
  const v1::UploadHeader& header = *received;
  const LogGroup about(header.lease());
  const std::unique_ptr<CallWatch::Call> call = watch_.Begin([&context] { context.TryCancel(); });
  if (call == nullptr) return Later("the learner receives as many groups as it can");
  const absl::StatusOr<std::unique_ptr<Spool::Writer>> writer =
      spool_.Begin(header.lease().ordinal(), header.lease().attempt(), header.digest(), header.size_bytes());
  if (!writer.ok()) return writer.status();
  v1::UploadRequest part;
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
