#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/turns.h"

namespace lvrpo {

// The process of `role` ends at once, without leaving, when the run's message number `message` (from 0) is
// sent: before it arrives, or after it took effect and before its answer arrives. It is started again `down`
// later.
struct KillAt {
  int64_t message = 0;
  bool after = false;
  std::string role;
  absl::Duration down = absl::Milliseconds(300);
};

// From that message on no message to `role` arrives, or with `answers_only` no answer of it, for this long.
struct Partition {
  int64_t message = 0;
  std::string role;
  absl::Duration lasts = absl::Seconds(1);
  bool answers_only = false;
};

struct Faults {
  std::vector<KillAt> kills = {};
  std::vector<Partition> partitions = {};
  std::vector<int64_t> drains = {};  // messages at which an operator drains the run
};

// The one way by which roles reach each other: counts the messages, and lets happen to them what `faults`
// say.
class ClusterMessages {
 public:
  struct Roles {
    std::function<bool(const std::string& address)> reachable;
    std::function<void(const KillAt&)> kill;
    std::function<void()> drain;
  };
  ClusterMessages(Faults faults, Roles roles, Turns& turns, FakeClock& clock)
      : faults_(std::move(faults)), roles_(std::move(roles)), turns_(turns), clock_(clock) {}

  // A message of the role whose turn it is to the process at `address` (AddressOf); `call` is what comes of
  // it there. Unavailable: it did not arrive, or its answer did not. Throws Turns::Ended when the sender is
  // killed.
  grpc::Status Send(const std::string& address, const std::string& what,
                    const std::function<grpc::Status()>& call);

  struct Sent {
    std::string from, to, what;  // roles
  };
  const std::vector<Sent>& sent() const { return sent_; }

 private:
  // Kills whom the faults say; throws when that is the sender.
  void Kill(int64_t message, bool after);
  bool Cut(const std::string& role, bool answer) const;

  const Faults faults_;
  const Roles roles_;
  Turns& turns_;
  FakeClock& clock_;
  std::vector<Sent> sent_;
  std::vector<absl::Time> began_;  // of the partitions
};

// "learner-0:2": each process of a role has a distinct address.
std::string AddressOf(const std::string& role, int process);
std::string RoleAt(const std::string& address);

}  // namespace lvrpo
