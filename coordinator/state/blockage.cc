#include "coordinator/state/blockage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);

bool IsOrdinary(Blocker::Kind kind) {
  using Kind = Blocker::Kind;
  return kind == Kind::kNothing || kind == Kind::kFinished || kind == Kind::kDraining ||
         kind == Kind::kStart || kind == Kind::kLease || kind == Kind::kGroups ||
         kind == Kind::kLastCheckpoint;
}

std::string InSeconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

}  // namespace

absl::Duration Blockage::Lasted(absl::Time now) const {
  return label_.empty() ? absl::ZeroDuration() : std::max(now - since_, absl::ZeroDuration());
}

std::string Blockage::Note(const Blocker& blocker, absl::Time now) {
  const std::string label = LabelOf(blocker);
  std::string line;
  if (label != label_ || blocker.member != who_) {
    if (spoke_)
      line = absl::StrCat("the run waits no longer for ", words_, " (after ", InSeconds(Lasted(now)), ")");
    // Another member with the same trouble does not begin it anew.
    if (label != label_) since_ = now;
    label_ = label;
    who_ = blocker.member;
    spoke_ = false;
  }
  words_ = InWords(blocker);
  if (spoke_ || IsOrdinary(blocker.kind) || Lasted(now) < kPatience) return line;
  spoke_ = true;
  return absl::StrCat(line, line.empty() ? "" : "; ", "the run waits for ", words_, ", for ",
                      InSeconds(Lasted(now)), " now");
}

}  // namespace lvrpo
