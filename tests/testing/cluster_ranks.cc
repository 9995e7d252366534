#include "tests/testing/cluster_ranks.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(2), kPause = absl::Milliseconds(20);

class Done final : public Pending {
 public:
  explicit Done(absl::Status status) : status_(std::move(status)) {}
  absl::Status Wait() override { return status_; }

 private:
  const absl::Status status_;
};

std::string BytesOf(const void* data, int64_t count) {
  return {static_cast<const char*>(data), static_cast<size_t>(count) * sizeof(int64_t)};
}

std::unique_ptr<Pending> Unimplemented() {
  return std::make_unique<Done>(absl::UnimplementedError("not in the cluster of the tests"));
}

}  // namespace

ClusterRanks::ClusterRanks(ClusterWorld& world, v1::LearnerEpoch epoch, int rank,
                           std::function<absl::Status()> over)
    : world_(world),
      epoch_(std::move(epoch)),
      rank_(rank),
      address_(epoch_.present(rank).address()),
      over_(std::move(over)) {
  world_.ranks[address_] = this;
}

ClusterRanks::~ClusterRanks() { world_.ranks.erase(address_); }

absl::Status ClusterRanks::Hear(const std::string& epoch, int64_t operation, int from,
                                const std::string& words) {
  if (epoch != epoch_.id()) return absl::FailedPreconditionError("of another epoch");
  heard_[operation][from] = words;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ClusterRanks::Gather(const std::string& words) {
  if (!broken_.ok()) return broken_;
  const int64_t operation = operations_++;
  heard_[operation][rank_] = words;
  const absl::Time deadline = world_.clock.Now() + kDeadline;
  std::vector<bool> told(static_cast<size_t>(size()));
  told[static_cast<size_t>(rank_)] = true;
  while (true) {
    for (const v1::LearnerRank& peer : epoch_.present()) {
      if (told[static_cast<size_t>(peer.rank())]) continue;
      const auto call = [&] {
        const auto there = world_.ranks.find(peer.address());
        return ToGrpcStatus(there == world_.ranks.end()
                                ? absl::FailedPreconditionError("not connected yet")
                                : there->second->Hear(epoch_.id(), operation, rank_, words));
      };
      told[static_cast<size_t>(peer.rank())] = world_.messages.Send(peer.address(), "Exchange", call).ok();
    }
    if (heard_[operation].size() == told.size() && std::find(told.begin(), told.end(), false) == told.end())
      break;
    if (absl::Status over = over_(); !over.ok()) return broken_ = over;
    if (world_.clock.Now() > deadline)
      return broken_ = absl::DeadlineExceededError(absl::StrCat("operation ", operation, " did not end"));
    world_.turns.Sleep(kPause);
  }
  std::vector<std::string> all;
  for (const auto& [rank, heard] : heard_[operation]) all.push_back(heard);
  heard_.erase(operation);
  return all;
}

std::unique_ptr<Pending> ClusterRanks::AllGather(ConstSpan, Span) { return Unimplemented(); }
std::unique_ptr<Pending> ClusterRanks::ReduceScatter(ConstSpan, Span) { return Unimplemented(); }

std::unique_ptr<Pending> ClusterRanks::AllReduce(Span data, Reduction reduction) {
  if (data.element != Element::kInt64 || reduction != Reduction::kMax) return Unimplemented();
  const absl::StatusOr<std::vector<std::string>> all = Gather(BytesOf(data.data, data.count));
  if (!all.ok()) return std::make_unique<Done>(all.status());
  auto* mine = static_cast<int64_t*>(data.data);
  for (const std::string& bytes : *all) {
    for (int64_t i = 0; i < data.count; ++i) {
      int64_t theirs = 0;
      std::memcpy(&theirs, bytes.data() + static_cast<size_t>(i) * sizeof(theirs), sizeof(theirs));
      mine[i] = std::max(mine[i], theirs);
    }
  }
  return std::make_unique<Done>(absl::OkStatus());
}

std::unique_ptr<Pending> ClusterRanks::Broadcast(Span data, int root) {
  const size_t bytes = static_cast<size_t>(data.count * (data.element == Element::kInt64 ? 8 : 1));
  if (data.element != Element::kInt64 && data.element != Element::kByte) return Unimplemented();
  const absl::StatusOr<std::vector<std::string>> all =
      Gather(rank_ == root ? std::string(static_cast<const char*>(data.data), bytes) : "");
  if (!all.ok()) return std::make_unique<Done>(all.status());
  std::memcpy(data.data, (*all)[static_cast<size_t>(root)].data(), bytes);
  return std::make_unique<Done>(absl::OkStatus());
}

}  // namespace lvrpo
