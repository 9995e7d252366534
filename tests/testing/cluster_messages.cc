#include "tests/testing/cluster_messages.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

grpc::Status Lost(const std::string& what) { return {grpc::StatusCode::UNAVAILABLE, what}; }

}  // namespace

std::string AddressOf(const std::string& role, int process) { return absl::StrCat(role, ":", process); }

std::string RoleAt(const std::string& address) { return address.substr(0, address.find(':')); }

void ClusterMessages::Kill(int64_t message, bool after) {
  const std::string sender = turns_.current();
  bool sender_too = false;
  for (const KillAt& kill : faults_.kills) {
    if (kill.message != message || kill.after != after) continue;
    roles_.kill(kill);
    sender_too |= kill.role == sender;
  }
  if (sender_too) throw Turns::Ended();
}

bool ClusterMessages::Cut(const std::string& role, bool answer) const {
  for (size_t i = 0; i < began_.size(); ++i) {
    const Partition& partition = faults_.partitions[i];
    if (partition.role == role && partition.answers_only == answer &&
        clock_.Now() < began_[i] + partition.lasts) {
      return true;
    }
  }
  return false;
}

grpc::Status ClusterMessages::Send(const std::string& address, const std::string& what,
                                   const std::function<grpc::Status()>& call) {
  const auto message = static_cast<int64_t>(sent_.size());
  const std::string role = RoleAt(address);
  sent_.push_back({turns_.current(), role, what});
  while (began_.size() < faults_.partitions.size() && faults_.partitions[began_.size()].message <= message)
    began_.push_back(clock_.Now());
  if (std::find(faults_.drains.begin(), faults_.drains.end(), message) != faults_.drains.end())
    roles_.drain();
  Kill(message, /*after=*/false);
  if (Cut(role, /*answer=*/false)) return Lost("the message was lost");
  if (!roles_.reachable(address)) return Lost(absl::StrCat("nobody is at ", address));
  const grpc::Status status = call();
  Kill(message, /*after=*/true);
  if (Cut(role, /*answer=*/true) || !roles_.reachable(address)) return Lost("the answer was lost");
  return status;
}

}  // namespace lvrpo
