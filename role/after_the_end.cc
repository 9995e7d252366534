#include "role/after_the_end.h"

#include "absl/strings/str_cat.h"
#include "common/allocator.h"
#include "coordinator/client.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kAnswer = absl::Seconds(2);

}  // namespace

RunStands StandingOf(const absl::StatusOr<v1::GetStatusResponse>& status) {
  if (!status.ok()) return RunStands::kUnknown;
  return status->finished() || status->draining() ? RunStands::kOver : RunStands::kGoesOn;
}

RunStands AskStanding(const RoleFlags& flags, const v1::RunConfig& config) {
  if (flags.coordinator.empty()) return RunStands::kUnknown;
  return StandingOf(CoordinatorClient(flags.coordinator, config.rpc()).GetStatus(kAnswer));
}

absl::Status RestAfterTheEnd(const RoleFlags& flags, const v1::RunConfig& config,
                             const ShutdownSignal& shutdown, RoleHealth& health, absl::Duration between) {
  ReturnFreedMemory();
  health.state().Finish();
  spdlog::info("the run has finished; waiting for SIGTERM");
  while (!shutdown.WaitFor(between)) {
    if (AskStanding(flags, config) == RunStands::kGoesOn)
      return absl::AbortedError(
          absl::StrCat("the run at ", flags.coordinator, " goes on: this process begins anew"));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
