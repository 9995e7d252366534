#include "data/tokenizer/bpe.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// A candidate merge of two neighbours. Ordered by the rank of the merge, then from left to right.
uint64_t Candidate(uint32_t rank, int32_t place) {
  return uint64_t{rank} << 32 | static_cast<uint32_t>(place);
}

}  // namespace

absl::StatusOr<Bpe> Bpe::Create(VocabularyTable vocabulary, const MergeTable& merges, Options options,
                                const std::string& where) {
  Bpe bpe;
  bpe.options_ = std::move(options);
  bpe.vocabulary_ = std::move(vocabulary);
  bpe.ids_.reserve(bpe.vocabulary_.entries.size());
  for (size_t i = 0; i < bpe.vocabulary_.entries.size(); ++i) {
    const VocabularyTable::Entry& entry = bpe.vocabulary_.entries[i];
    const absl::string_view token = bpe.vocabulary_.token(entry);
    if (!bpe.ids_.try_emplace(std::string(token), entry.id).second)
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": the token ", QuoteToken(token), " occurs twice"));
    const auto id = static_cast<size_t>(entry.id);
    if (bpe.by_id_.size() <= id) bpe.by_id_.resize(id + 1, -1);
    if (bpe.by_id_[id] != -1) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": the tokens ",
                                                     QuoteToken(*bpe.TokenOf(entry.id)), " and ",
                                                     QuoteToken(token), " have the same id ", entry.id));
    }
    bpe.by_id_[id] = static_cast<int32_t>(i);
    if (size_t length = 0; !token.empty()) {
      const char32_t character = unicode::NextCodePoint(token, &length);
      if (length == token.size()) bpe.characters_[character] = entry.id;
    }
  }
  for (int byte = 0; byte < 256; ++byte)
    bpe.byte_ids_.push_back(bpe.IdOf(absl::StrFormat("<0x%02X>", byte)).value_or(-1));
  bpe.unknown_id_ = bpe.options_.unknown_token.empty() ? std::nullopt : bpe.IdOf(bpe.options_.unknown_token);

  bpe.merges_.reserve(merges.entries.size());
  bpe.ranks_.reserve(merges.entries.size());
  std::string result;
  for (size_t i = 0; i < merges.entries.size(); ++i) {
    const auto [left, right] = merges.pair(merges.entries[i]);
    absl::string_view tail = right;
    if (!absl::ConsumePrefix(&tail, bpe.options_.continuing_prefix)) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": the second part of merge ", i, ", ",
                                                     QuoteToken(right), ", does not begin with ",
                                                     QuoteToken(bpe.options_.continuing_prefix)));
    }
    result.assign(left.data(), left.size());
    result.append(tail.data(), tail.size());
    const std::optional<int32_t> ids[] = {bpe.IdOf(left), bpe.IdOf(right), bpe.IdOf(result)};
    const absl::string_view tokens[] = {left, right, result};
    for (int part = 0; part < 3; ++part) {
      if (ids[part].has_value()) continue;
      return absl::InvalidArgumentError(absl::StrCat(where, ": merge ", i, " of ", QuoteToken(left), " and ",
                                                     QuoteToken(right), ": ", QuoteToken(tokens[part]),
                                                     " is not in the vocabulary"));
    }
    bpe.merges_.push_back({*ids[0], *ids[1], *ids[2]});
    // A pair that is listed again has its last rank, as in the reference.
    bpe.ranks_[PairKey(*ids[0], *ids[1])] = static_cast<uint32_t>(i);
  }
  return bpe;
}

std::optional<int32_t> Bpe::IdOf(absl::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<absl::string_view> Bpe::TokenOf(int32_t id) const {
  if (id < 0 || id > greatest_id() || by_id_[static_cast<size_t>(id)] < 0) return std::nullopt;
  return vocabulary_.token(vocabulary_.entries[static_cast<size_t>(by_id_[static_cast<size_t>(id)])]);
}

std::optional<uint32_t> Bpe::RankOf(int32_t left, int32_t right) const {
  const auto found = ranks_.find(PairKey(left, right));
  return found == ranks_.end() ? std::nullopt : std::optional(found->second);
}

absl::Status Bpe::Encode(absl::string_view word, bool whole_word, std::vector<int32_t>* ids) const {
  if (word.empty()) return absl::OkStatus();
  if (options_.ignore_merges && whole_word) {
    if (const std::optional<int32_t> id = IdOf(word)) {
      ids->push_back(*id);
      return absl::OkStatus();
    }
  }
  std::vector<Symbol> symbols;
  if (absl::Status status = Cut(word, &symbols); !status.ok()) return status;
  MergeAll(&symbols);
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) ids->push_back(symbol.id);
  }
  return absl::OkStatus();
}

absl::Status Bpe::Cut(absl::string_view word, std::vector<Symbol>* symbols) const {
  symbols->reserve(word.size());
  const auto add = [&](int32_t id) {
    const auto place = static_cast<int32_t>(symbols->size());
    if (place > 0) symbols->back().next = place;
    symbols->push_back({id, place - 1, -1});
  };
  // Unknown tokens are emitted at the next known character, after the byte-fallback tokens in between: a
  // quirk of the reference that ids depend on.
  bool unknown_waits = false;
  std::string decorated;
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    const char32_t c = unicode::NextCodePoint(word, &at);
    const bool first = begin == 0, last = at == word.size();
    absl::string_view text = word.substr(begin, at - begin);
    int32_t id = -1;
    if ((first || options_.continuing_prefix.empty()) && (!last || options_.end_of_word_suffix.empty())) {
      const auto found = characters_.find(c);
      if (found != characters_.end()) id = found->second;
    } else {
      decorated = absl::StrCat(first ? "" : options_.continuing_prefix, text,
                               last ? options_.end_of_word_suffix : "");
      text = decorated;
      id = IdOf(text).value_or(-1);
    }
    if (id >= 0) {
      if (unknown_waits) add(*unknown_id_);
      unknown_waits = false;
      add(id);
      continue;
    }
    const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
    if (options_.byte_fallback &&
        std::all_of(text.begin(), text.end(), [&](char byte) { return byte_id(byte) >= 0; })) {
      for (const char byte : text) add(byte_id(byte));
      continue;
    }
    if (options_.unknown_token.empty()) continue;
    if (!unknown_id_.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the character ", QuoteToken(text), " has no token, and the unknown token ",
                       QuoteToken(options_.unknown_token), " is not in the vocabulary either"));
    }
    if (unknown_waits && !options_.fuse_unknown) add(*unknown_id_);
    unknown_waits = true;
  }
  if (unknown_waits) add(*unknown_id_);
  return absl::OkStatus();
}

void Bpe::MergeAll(std::vector<Symbol>* all) const {
  std::vector<Symbol>& symbols = *all;
  const auto at = [&](int32_t place) -> Symbol& { return symbols[static_cast<size_t>(place)]; };
  std::vector<uint64_t> heap;  // of candidates, the first one in front
  for (int32_t place = 0; place + 1 < static_cast<int32_t>(symbols.size()); ++place) {
    if (const std::optional<uint32_t> rank = RankOf(at(place).id, at(place + 1).id))
      heap.push_back(Candidate(*rank, place));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto consider = [&](int32_t left) {
    if (left < 0 || at(left).next < 0) return;
    if (const std::optional<uint32_t> rank = RankOf(at(left).id, at(at(left).next).id)) {
      heap.push_back(Candidate(*rank, left));
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  };
  // Whether these two still give the result of the merge. Another merge with the same result does as well.
  const auto give = [&](const Symbol& left, const Symbol& right, const Merge& merge) {
    if (left.id == merge.left && right.id == merge.right) return true;
    const std::optional<uint32_t> rank = RankOf(left.id, right.id);
    return rank.has_value() && merges_[*rank].result == merge.result;
  };
  while (!heap.empty()) {
    const Merge& merge = merges_[heap.front() >> 32];
    const auto place = static_cast<int32_t>(heap.front() & 0xFFFFFFFF);
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    Symbol& left = at(place);
    if (left.id < 0 || left.next < 0) continue;
    Symbol& right = at(left.next);
    if (!give(left, right, merge)) continue;
    left.id = merge.result;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = place;
    consider(left.previous);
    consider(place);
  }
}

}  // namespace lvrpo
