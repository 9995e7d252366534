#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace lvrpo {

// Whether starting a role again can help after it ended with this code: not for wrong usage, configuration,
// data or divergence.
bool MayRestart(int exit_code);

// When roles that died are restarted: the first time at once, then after 1, 2, 4, ... 30 s, so that a lasting
// error (a full disk) does not use up the restarts; the pause resets after a role has lived for a minute. At
// most `most` restarts for all roles together. Pure.
class Restarts {
 public:
  explicit Restarts(int most) : most_(most) {}

  // A role died, `lived` after its start. How long to wait before it is started again; nullopt:
  // restarts are used up.
  std::optional<absl::Duration> Next(const std::string& role, absl::Duration lived);
  int used() const { return used_; }
  int most() const { return most_; }

 private:
  const int most_;
  int used_ = 0;
  std::map<std::string, int> in_a_row_;
};

}  // namespace lvrpo
