#include "learner/copies/copy_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lvrpo {
namespace {

constexpr int kMostParts = 1 << 16;

using Ranks = std::vector<int>;

// The ranks of each folder, in the order of the folders' first ranks.
std::vector<Ranks> ByFolder(const std::vector<std::string>& folders) {
  std::vector<Ranks> groups;
  std::map<std::string, size_t> places;
  for (size_t rank = 0; rank < folders.size(); ++rank) {
    const auto [place, added] = places.emplace(folders[rank], groups.size());
    if (added) groups.emplace_back();
    groups[place->second].push_back(static_cast<int>(rank));
  }
  return groups;
}

}  // namespace

std::vector<int> PartsToKeep(int rank, const std::vector<std::string>& folders, bool sharded) {
  const std::vector<Ranks> groups = ByFolder(folders);
  for (size_t i = 0; i < groups.size(); ++i) {
    const Ranks& own = groups[i];
    const auto found = std::find(own.begin(), own.end(), rank);
    if (found == own.end()) continue;
    const auto place = static_cast<size_t>(found - own.begin());
    if (!sharded) return place == 0 ? Ranks{0} : Ranks{};
    Ranks parts = {rank};
    const Ranks& next = groups[(i + 1) % groups.size()];
    for (size_t j = place; groups.size() > 1 && j < next.size(); j += own.size()) parts.push_back(next[j]);
    std::sort(parts.begin(), parts.end());
    return parts;
  }
  return {};
}

std::string WriteOffers(const std::vector<CopyOffer>& offers) {
  std::string text;
  for (const CopyOffer& offer : offers)
    absl::StrAppend(&text, offer.part, " ", offer.parts, " ", offer.epoch, "\n");
  return text;
}

std::vector<CopyOffer> ReadOffers(const std::string& text) {
  std::vector<CopyOffer> offers;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    CopyOffer offer;
    if (words.size() != 3 || !absl::SimpleAtoi(words[0], &offer.part) ||
        !absl::SimpleAtoi(words[1], &offer.parts) || offer.part < 0 || offer.part >= offer.parts ||
        offer.parts > kMostParts)
      continue;
    offer.epoch = words[2];
    offers.push_back(std::move(offer));
  }
  return offers;
}

std::optional<CopySource> ChooseCopies(const std::vector<std::vector<CopyOffer>>& offers) {
  // Epoch and number of parts -> part -> ranks that have it, ascending.
  std::map<std::pair<std::string, int>, std::map<int, Ranks>> sets;
  for (size_t rank = 0; rank < offers.size(); ++rank) {
    for (const CopyOffer& offer : offers[rank])
      sets[{offer.epoch, offer.parts}][offer.part].push_back(static_cast<int>(rank));
  }
  for (const auto& [name, parts] : sets) {
    if (static_cast<int>(parts.size()) != name.second) continue;
    CopySource source = {.epoch = name.first, .parts = {}};
    for (const auto& [part, ranks] : parts)
      source.parts.push_back({.holder = ranks.front(), .everywhere = ranks.size() == offers.size()});
    return source;
  }
  return std::nullopt;
}

}  // namespace lvrpo
