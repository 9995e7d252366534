#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

// One attempt to sample a group of a run, as all of its processes name it.
struct GroupId {
  std::string run;  // empty: not known
  int64_t ordinal = 0;
  int32_t attempt = 0;

  bool operator==(const GroupId&) const = default;
};

// 32 hexadecimal digits, like a trace id of W3C's Trace Context: the same in every process that has to do
// with the group. Pure; empty while the run is not known.
std::string TraceIdOf(const GroupId& group);

// "RUN/ORDINAL/ATTEMPT", as it travels with a call, and back; nullopt for anything else.
std::string ToText(const GroupId& group);
std::optional<GroupId> ParseGroupId(absl::string_view text);

// Metadata of a call in which a client names the group (ToText), for the server's log.
inline constexpr char kGroupMetadata[] = "lvrpo-group";

// While it lives, what this thread logs is about the group: JSON lines have "group" ("ORDINAL/ATTEMPT") and
// "trace". They nest; the innermost counts. One thread: destroy it on the thread that made it.
class LogGroup {
 public:
  // Of the run that this process takes part in (SetLogRun).
  explicit LogGroup(const v1::LeaseId& lease) : LogGroup(lease.ordinal(), lease.attempt()) {}
  LogGroup(int64_t ordinal, int32_t attempt);
  explicit LogGroup(std::optional<GroupId> group);  // nullopt: changes nothing
  ~LogGroup();
  LogGroup(const LogGroup&) = delete;
  LogGroup& operator=(const LogGroup&) = delete;

  // What this thread is at now; null: no group.
  static const GroupId* Current();

 private:
  const std::optional<GroupId> group_;
  const GroupId* const outer_;
};

}  // namespace lvrpo
