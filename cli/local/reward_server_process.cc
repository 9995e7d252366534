#include "cli/local/reward_server_process.h"

#include <signal.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "cli/local/address_file.h"
#include "common/clock.h"
#include "common/files/file.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<RewardServerProcess>> RewardServerProcess::Start(const Options& options) {
  unlink(options.address_file.c_str());
  std::vector<std::string> command = {JoinPath(BinaryFolder(), "lvrpo-reward-server"), "--config",
                                      options.config, "--address-file", options.address_file};
  for (const std::string& setting : options.settings) command.insert(command.end(), {"--set", setting});
  absl::StatusOr<Process> process =
      Process::Start({.command = command, .log = options.log, .environment = {}});
  if (!process.ok()) return process.status();
  std::unique_ptr<RewardServerProcess> server(
      new RewardServerProcess(*std::move(process), options.address_file));
  if (absl::Status status = server->AwaitAddress(options.log); !status.ok()) return status;
  return server;
}

RewardServerProcess::~RewardServerProcess() {
  process_.Signal(SIGTERM);
  if (!process_.Wait(absl::Seconds(5)).has_value()) process_.Signal(SIGKILL);
  unlink(address_file_.c_str());
}

absl::Status RewardServerProcess::AwaitAddress(const std::string& log) {
  const absl::Time deadline = RealClock().Now() + absl::Minutes(2);
  while (RealClock().Now() < deadline) {
    absl::StatusOr<std::string> address = ReadAddressFile(address_file_);
    if (absl::IsDataLoss(address.status())) return address.status();
    if (address.ok()) {
      address_ = *std::move(address);
      return absl::OkStatus();
    }
    if (process_.Wait(absl::Milliseconds(20)).has_value())
      return absl::UnavailableError(absl::StrCat("a reward server did not start; see ", log));
  }
  return absl::DeadlineExceededError(absl::StrCat("a reward server did not start in time; see ", log));
}

}  // namespace lvrpo
