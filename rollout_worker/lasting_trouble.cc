#include "rollout_worker/lasting_trouble.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(30);  // between two lines in the log
constexpr absl::Duration kForgotten = absl::Seconds(60);

}  // namespace

std::string LastingTrouble::Line(absl::Time now) const {
  return absl::StrFormat("%s, for %.0f s now: %s", what_, absl::ToDoubleSeconds(now - since_), why_);
}

std::string LastingTrouble::Failed(absl::string_view why) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  since_ = std::min(since_, now);
  newest_ = now;
  why_ = std::string(why);
  if (now - since_ < patience_ || now - logged_ < kEvery) return "";
  logged_ = now;
  return Line(now);
}

void LastingTrouble::End() {
  absl::MutexLock lock(&mutex_);
  since_ = absl::InfiniteFuture();
  logged_ = absl::InfinitePast();
}

std::string LastingTrouble::text() const {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  return now - since_ < patience_ || now - newest_ > kForgotten ? "" : Line(now);
}

}  // namespace lvrpo
