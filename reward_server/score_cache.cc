#include "reward_server/score_cache.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {

std::string ScoreCache::Key(const Scorer& scorer, const ScoringBatch& batch, size_t index) {
  Sha256 hash;
  // Lengths first, so that no two different things read the same.
  const auto add = [&](absl::string_view bytes) {
    hash.Update(absl::StrCat(bytes.size(), ":"));
    hash.Update(bytes);
  };
  add(scorer.name());
  add(scorer.digest());
  add(batch.prompt.SerializeAsString());
  if (batch.prompt.task() == v1::TASK_KIND_TEXT) {
    add(batch.texts[index]);
  } else {
    const RgbImage& image = batch.images[index];
    add(absl::StrCat(image.width, "x", image.height));
    add({reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()});
  }
  return hash.FinishHex();
}

std::optional<std::vector<Score>> ScoreCache::Find(const Scorer& scorer, const ScoringBatch& batch) {
  if (limit_ == 0 || batch.want_evidence) return std::nullopt;
  std::vector<Score> scores;
  for (size_t i = 0; i < batch.size(); ++i) {
    const std::string key = Key(scorer, batch, i);
    absl::MutexLock lock(&mutex_);
    const auto place = places_.find(key);
    if (place == places_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, place->second);
    scores.push_back(place->second->second);
  }
  return scores;
}

void ScoreCache::Keep(const Scorer& scorer, const ScoringBatch& batch, const std::vector<Score>& scores) {
  if (limit_ == 0) return;
  for (size_t i = 0; i < scores.size(); ++i) {
    std::string key = Key(scorer, batch, i);
    absl::MutexLock lock(&mutex_);
    if (places_.contains(key)) continue;
    entries_.emplace_front(key, Score{.value = scores[i].value, .detail = scores[i].detail, .maps = {}});
    places_[std::move(key)] = entries_.begin();
    if (entries_.size() <= limit_) continue;
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }
}

size_t ScoreCache::size() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace lvrpo
