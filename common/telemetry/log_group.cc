#include "common/telemetry/log_group.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"
#include "common/names.h"
#include "common/telemetry/logging.h"

namespace lvrpo {
namespace {

constexpr size_t kTraceDigits = 32;

thread_local const GroupId* t_current = nullptr;

}  // namespace

std::string TraceIdOf(const GroupId& group) {
  return group.run.empty() ? std::string() : Sha256Hex(ToText(group)).substr(0, kTraceDigits);
}

std::string ToText(const GroupId& group) {
  return absl::StrCat(group.run, "/", group.ordinal, "/", group.attempt);
}

std::optional<GroupId> ParseGroupId(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  GroupId group;
  if (parts.size() != 3 || !IsName(parts[0], kMostRunId)) return std::nullopt;
  group.run = std::string(parts[0]);
  if (!absl::SimpleAtoi(parts[1], &group.ordinal) || !absl::SimpleAtoi(parts[2], &group.attempt))
    return std::nullopt;
  // Also refuses signs, zeros in front and negative numbers.
  if (group.ordinal < 0 || group.attempt < 0 || ToText(group) != text) return std::nullopt;
  return group;
}

LogGroup::LogGroup(int64_t ordinal, int32_t attempt)
    : LogGroup(GroupId{.run = LogRun(), .ordinal = ordinal, .attempt = attempt}) {}

LogGroup::LogGroup(std::optional<GroupId> group) : group_(std::move(group)), outer_(t_current) {
  if (group_.has_value()) t_current = &*group_;
}

LogGroup::~LogGroup() { t_current = outer_; }

const GroupId* LogGroup::Current() { return t_current; }

}  // namespace lvrpo
