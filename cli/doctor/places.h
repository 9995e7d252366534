#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/doctor/check.h"
#include "common/net/host_port.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Where a run's processes connect to, besides each other.
struct Place {
  std::string setting;  // "reward.vqa_endpoint.url"
  HostPort where;
};
// Those of a configuration; addresses that are none are found by its own validation. `role`: only those that
// this role uses; empty: all.
std::vector<Place> PlacesOf(const v1::RunConfig& config, absl::string_view role);

// The host and port of "http(s)://[user@]host[:port]/path".
absl::StatusOr<HostPort> HostPortOfUrl(absl::string_view url);

// Environment variables that a configuration names for keys, and that are not set.
std::vector<Check> CheckKeys(const v1::RunConfig& config, absl::string_view role);

// The device that a role computes on: "cpu" for those without one.
std::string DeviceOf(const v1::RunConfig& config, absl::string_view role);

}  // namespace lvrpo
