#include "weight_plane/gang/gang_service.h"

#include <utility>

#include "common/net/rpc.h"

namespace lvrpo {

grpc::Status GangService::Ask(grpc::ServerContext*, const v1::AskGangRequest* request,
                              v1::AskGangResponse* response) {
  absl::StatusOr<v1::AskGangResponse> answer = desk_.Ask(*request);
  if (!answer.ok()) return ToGrpcStatus(answer.status());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

}  // namespace lvrpo
