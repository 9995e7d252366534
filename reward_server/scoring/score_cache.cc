#include "reward_server/scoring/score_cache.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {

namespace {

// Content and scorer.
std::string Key(const Scorer& scorer, const std::string& content) {
  return absl::StrCat(content, scorer.name(), "/", scorer.digest());
}

// Length-prefixed, so that different contents never hash the same.
void AddTo(Sha256& hash, absl::string_view bytes) {
  hash.Update(absl::StrCat(bytes.size(), ":"));
  hash.Update(bytes);
}

void AddTo(Sha256& hash, const std::vector<Detection>& detections) {
  for (const Detection& found : detections) {
    AddTo(hash, absl::StrCat(found.score, ",", found.x0, ",", found.y0, ",", found.x1, ",", found.y1));
    AddTo(hash, found.class_name);
    AddTo(hash, found.color);
  }
}

}  // namespace

std::vector<std::string> ScoreCache::ContentKeys(const ScoringGroup& group) {
  const std::string prompt = group.prompt.SerializeAsString();
  std::vector<std::string> keys;
  for (size_t i = 0; i < group.size(); ++i) {
    Sha256 hash;
    AddTo(hash, prompt);
    if (group.prompt.task() == v1::TASK_KIND_TEXT) {
      AddTo(hash, group.texts[i]);
    } else {
      const RgbImage& image = group.images[i];
      AddTo(hash, absl::StrCat(image.width, "x", image.height));
      AddTo(hash, {reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()});
      if (!group.detections.empty() && group.detections[i].has_value()) {
        AddTo(hash, absl::StrCat("detections ", group.detections[i]->size()));
        AddTo(hash, *group.detections[i]);
      }
    }
    keys.push_back(hash.FinishHex());
  }
  return keys;
}

std::optional<std::vector<SampleScore>> ScoreCache::Find(const Scorer& scorer,
                                                         const std::vector<std::string>& keys) {
  if (limit_ == 0) return std::nullopt;
  std::vector<SampleScore> scores;
  absl::MutexLock lock(&mutex_);
  for (const std::string& content : keys) {
    const auto place = places_.find(Key(scorer, content));
    if (place == places_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, place->second);
    scores.push_back(place->second->second);
  }
  return scores;
}

void ScoreCache::Keep(const Scorer& scorer, const std::vector<std::string>& keys,
                      const std::vector<SampleScore>& scores) {
  if (limit_ == 0) return;
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < scores.size(); ++i) {
    std::string key = Key(scorer, keys[i]);
    if (places_.contains(key)) continue;
    entries_.emplace_front(key, scores[i]);
    entries_.front().second.maps.clear();
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
