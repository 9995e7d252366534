#pragma once

#include "proto/lvrpo/v1/weight_gang.grpc.pb.h"
#include "weight_plane/gang/gang_desk.h"

namespace lvrpo {

// A GangDesk over gRPC. Thread-safe.
class GangService final : public v1::WeightGang::Service {
 public:
  // `desk` must outlive it.
  explicit GangService(GangDesk& desk) : desk_(desk) {}

  grpc::Status Ask(grpc::ServerContext* context, const v1::AskGangRequest* request,
                   v1::AskGangResponse* response) override;

 private:
  GangDesk& desk_;
};

}  // namespace lvrpo
