#include "rollout_worker/scoring_trouble.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(30);  // between two lines in the log

}  // namespace

std::string ScoringTrouble::Line(absl::Time now) const {
  return absl::StrFormat("scores, for %.0f s now: %s", absl::ToDoubleSeconds(now - since_), why_);
}

std::string ScoringTrouble::Failed(absl::string_view why) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  since_ = std::min(since_, now);
  why_ = std::string(why);
  if (now - since_ < patience_ || now - logged_ < kEvery) return "";
  logged_ = now;
  return Line(now);
}

void ScoringTrouble::End() {
  absl::MutexLock lock(&mutex_);
  since_ = absl::InfiniteFuture();
  logged_ = absl::InfinitePast();
}

std::string ScoringTrouble::text() const {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  return now - since_ < patience_ ? "" : Line(now);
}

}  // namespace lvrpo
