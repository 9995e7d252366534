#include "learner/gloo_ranks.h"

#include <memory>
#include <string>
#include <utility>

#include "collectives/gloo/gloo_collectives.h"
#include "collectives/gloo/rendezvous.h"
#include "learner/ranks/rank_process.h"

namespace lvrpo {

RankTransport GlooRanks(const RoleFlags& flags, const v1::LearnerConfig& config) {
  RankTransport transport;
  const auto served = std::make_shared<std::unique_ptr<Rendezvous>>();  // rank 0's, while the transport lives
  transport.open = [served](const std::string& host) -> absl::StatusOr<std::string> {
    absl::StatusOr<std::unique_ptr<Rendezvous>> rendezvous = ServeRendezvous(host);
    if (!rendezvous.ok()) return rendezvous.status();
    *served = *std::move(rendezvous);
    return (*served)->address();
  };
  transport.connect = [&flags, &config](const v1::LearnerEpoch& epoch,
                                        int rank) -> absl::StatusOr<std::unique_ptr<Collectives>> {
    const absl::StatusOr<std::string> host = HostForRanks(flags);
    if (!host.ok()) return host.status();
    const absl::Duration deadline = absl::Seconds(config.collective_timeout_seconds());
    return ConnectGloo({.rendezvous = epoch.rendezvous(),
                        .epoch = epoch.id(),
                        .rank = rank,
                        .size = epoch.ranks(),
                        .host = *host,
                        .meeting = deadline,
                        .deadline = deadline});
  };
  return transport;
}

}  // namespace lvrpo
