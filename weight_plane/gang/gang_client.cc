#include "weight_plane/gang/gang_client.h"

#include "proto/lvrpo/v1/weight_gang.grpc.pb.h"

namespace lvrpo {

absl::StatusOr<v1::AskGangResponse> GangClient::Ask(const std::string& address,
                                                    const v1::AskGangRequest& request,
                                                    absl::Duration deadline) {
  v1::AskGangResponse response;
  const grpc::Status status =
      v1::WeightGang::NewStub(channels_.To(address))->Ask(MakeContext(deadline).get(), request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

}  // namespace lvrpo
