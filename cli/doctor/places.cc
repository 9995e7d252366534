#include "cli/doctor/places.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

bool Is(absl::string_view role, absl::string_view one) { return role.empty() || role == one; }

bool IsUrl(absl::string_view text) {
  return absl::StartsWith(text, "http://") || absl::StartsWith(text, "https://");
}

}  // namespace

absl::StatusOr<HostPort> HostPortOfUrl(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == absl::string_view::npos) return absl::InvalidArgumentError("not an http(s) address");
  absl::string_view host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const size_t user = host.rfind('@'); user != absl::string_view::npos) host = host.substr(user + 1);
  const size_t bracket = host.rfind(']');
  const bool has_port =
      host.find(':', bracket == absl::string_view::npos ? 0 : bracket) != absl::string_view::npos;
  const char* port = absl::StartsWith(url, "https://") ? ":443" : ":80";
  return ParseHostPort(has_port ? std::string(host) : absl::StrCat(host, port), AddressUse::kDial);
}

std::vector<Place> PlacesOf(const v1::RunConfig& config, absl::string_view role) {
  std::vector<Place> places;
  const auto add = [&](const std::string& setting, const std::string& address) {
    const absl::StatusOr<HostPort> where =
        IsUrl(address) ? HostPortOfUrl(address) : ParseHostPort(address, AddressUse::kDial);
    if (where.ok()) places.push_back({setting, *where});
  };
  if (Is(role, "reward")) {
    const v1::RewardConfig& reward = config.reward();
    if (IsUrl(reward.detector())) add("reward.detector", reward.detector());
    if (!reward.vqa_endpoint().url().empty()) add("reward.vqa_endpoint.url", reward.vqa_endpoint().url());
    for (const v1::ExternalScorerConfig& scorer : reward.external())
      add(absl::StrCat("reward.external (", scorer.name(), ")"), scorer.address());
  }
  const v1::CheckpointsConfig& checkpoints = config.checkpoints();
  if (Is(role, "learner") && !checkpoints.store().empty()) {
    add("checkpoints.store", checkpoints.endpoint().empty()
                                 ? absl::StrCat("https://s3.", checkpoints.region(), ".amazonaws.com")
                                 : checkpoints.endpoint());
  }
  return places;
}

std::vector<Check> CheckKeys(const v1::RunConfig& config, absl::string_view role) {
  const std::string& variable = config.reward().vqa_endpoint().api_key_variable();
  if (variable.empty() || config.reward().vqa_endpoint().url().empty() || !Is(role, "reward")) return {};
  const char* value = std::getenv(variable.c_str());
  const std::string name = "key";
  if (value != nullptr && *value != '\0') return {Ok(name, absl::StrCat(variable, " is set"))};
  return {Failure(name,
                  absl::StrCat(variable, " is not set, and reward.vqa_endpoint.api_key_variable names it"),
                  "set it in the reward servers' environment, from a secret", Check::About::kConfiguration)};
}

std::string DeviceOf(const v1::RunConfig& config, absl::string_view role) {
  if (role == "learner") return config.learner().device();
  if (role == "rollout") return config.rollout().device();
  if (role == "reward") return config.reward().device();
  if (!role.empty()) return "cpu";
  for (const char* one : {"learner", "rollout", "reward"}) {
    if (const std::string device = DeviceOf(config, one); device != "cpu") return device;
  }
  return "cpu";
}

}  // namespace lvrpo
