#pragma once

#include <list>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "reward_server/remote/vqa_form.h"

namespace lvrpo {

// Answers by question. Holds up to `limit`, evicts the least recently used. Not thread-safe.
class VqaCache {
 public:
  explicit VqaCache(size_t limit) : limit_(limit) {}

  // nullptr when absent; otherwise valid until the next Keep().
  const VqaAnswer* Find(const std::string& key) {
    const auto place = places_.find(key);
    if (place == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, place->second);
    return &place->second->second;
  }

  void Keep(const std::string& key, const VqaAnswer& answer) {
    if (limit_ == 0 || places_.contains(key)) return;
    entries_.emplace_front(key, answer);
    places_[key] = entries_.begin();
    if (entries_.size() <= limit_) return;
    places_.erase(entries_.back().first);
    entries_.pop_back();
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entry = std::pair<std::string, VqaAnswer>;

  const size_t limit_;
  std::list<Entry> entries_;  // most recently used first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> places_;
};

}  // namespace lvrpo
