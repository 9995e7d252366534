#include "data/tokenizer/added_tokens.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

// All contents together, for the size of the tries.
constexpr size_t kMaxAddedBytes = size_t{4} << 20;

// Where the white space before `end` begins, but not before `least`.
size_t SpacesBefore(absl::string_view text, size_t least, size_t end) {
  while (end > least && unicode::IsSpace(unicode::LastCodePoint(text, end))) {
    --end;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  }
  return end;
}

// Where the white space that begins at `begin` ends.
size_t SpacesBehind(absl::string_view text, size_t begin) {
  for (size_t next = begin; next < text.size(); begin = next) {
    if (!unicode::IsSpace(unicode::NextCodePoint(text, &next))) break;
  }
  return begin;
}

bool TouchesWord(absl::string_view text, size_t begin, size_t end) {
  if (begin > 0 && unicode::IsWordCharacter(unicode::LastCodePoint(text, begin))) return true;
  return end < text.size() && unicode::IsWordCharacter(unicode::NextCodePoint(text, &end));
}

}  // namespace

void AddedTokens::Trie::Insert(absl::string_view key, int32_t value) {
  uint32_t node = 0;
  first_bytes_.set(static_cast<unsigned char>(key[0]));
  for (const char byte : key) {
    const auto [child, is_new] = children_.try_emplace(uint64_t{node} << 8 | static_cast<unsigned char>(byte),
                                                       static_cast<uint32_t>(values_.size()));
    if (is_new) values_.push_back(-1);
    node = child->second;
  }
  values_[node] = value;
}

std::optional<int32_t> AddedTokens::Trie::At(absl::string_view key) const {
  const auto [length, value] = Longest(key, 0);
  return value >= 0 && length == key.size() ? std::optional(value) : std::nullopt;
}

std::pair<size_t, int32_t> AddedTokens::Trie::Longest(absl::string_view text, size_t at) const {
  std::pair<size_t, int32_t> best = {0, -1};
  if (!first_bytes_.test(static_cast<unsigned char>(text[at]))) return best;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto child = children_.find(uint64_t{node} << 8 | static_cast<unsigned char>(text[i]));
    if (child == children_.end()) break;
    node = child->second;
    if (values_[node] >= 0) best = {i + 1 - at, values_[node]};
  }
  return best;
}

absl::StatusOr<AddedTokens> AddedTokens::Create(std::vector<AddedToken> tokens,
                                                const TextNormalizer* normalizer) {
  AddedTokens added;
  added.tokens_ = std::move(tokens);
  size_t bytes = 0;
  for (size_t i = 0; i < added.tokens_.size(); ++i) {
    const AddedToken& token = added.tokens_[i];
    const std::string name = absl::StrCat("the added token ", QuoteToken(token.content));
    if (token.content.empty()) return absl::InvalidArgumentError("an added token is empty");
    if (!added.by_content_.emplace(token.content, i).second)
      return absl::InvalidArgumentError(absl::StrCat(name, " occurs twice"));
    if (const auto [other, is_new] = added.by_id_.emplace(token.id, i); !is_new) {
      return absl::InvalidArgumentError(absl::StrCat(name, " has the id ", token.id, " of ",
                                                     QuoteToken(added.tokens_[other->second].content)));
    }
    if (token.special) added.specials_.insert(token.content);
    std::string form = token.content;
    if (token.normalized && normalizer != nullptr) {
      absl::StatusOr<std::string> normal = normalizer->Normalize(form);
      if (!normal.ok()) return normal.status();
      form = *std::move(normal);
    }
    if (form.empty() || form.size() > kMaxTokenBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " has ", form.size(), " bytes after normalisation; 1 to ", kMaxTokenBytes, " are allowed"));
    }
    bytes += form.size();
    if (bytes > kMaxAddedBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("the added tokens have more than ", kMaxAddedBytes, " bytes together"));
    }
    Trie& trie = token.normalized ? added.normalized_ : added.raw_;
    if (const std::optional<int32_t> other = trie.At(form)) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " is the same as ", QuoteToken(added.tokens_[static_cast<size_t>(*other)].content),
          " after normalisation"));
    }
    trie.Insert(form, static_cast<int32_t>(i));
    added.normal_forms_.push_back(std::move(form));
  }
  return added;
}

std::vector<AddedTokens::Span> AddedTokens::Spans(absl::string_view text, const Trie& trie,
                                                  bool specials_are_text) const {
  std::vector<Span> spans;
  size_t done = 0, spaces_from = 0, spaces_to = 0;  // spaces: already scanned
  for (size_t at = 0; at < text.size() && !trie.empty();) {
    const auto [length, place] = trie.Longest(text, at);
    if (place < 0) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + length;
    at = end;
    const AddedToken& token = tokens_[static_cast<size_t>(place)];
    if (specials_are_text && token.special) continue;
    if (token.single_word && TouchesWord(text, begin, end)) continue;
    if (token.lstrip) begin = done < begin ? SpacesBefore(text, done, begin) : done;
    if (token.rstrip) {
      if (end < spaces_from || end > spaces_to) {
        spaces_from = end;
        spaces_to = SpacesBehind(text, end);
      }
      end = spaces_to;
    }
    if (done < begin) spans.push_back({done, begin, -1});
    spans.push_back({begin, end, place});
    done = end;
  }
  if (done < text.size()) spans.push_back({done, text.size(), -1});
  return spans;
}

absl::StatusOr<std::vector<AddedTokens::Piece>> AddedTokens::Cut(absl::string_view text,
                                                                 const TextNormalizer* normalizer,
                                                                 bool specials_are_text) const {
  std::vector<Piece> pieces;
  size_t total = 0;
  for (const Span& span : Spans(text, raw_, specials_are_text)) {
    if (span.token >= 0) {
      pieces.push_back({"", tokens_[static_cast<size_t>(span.token)].id});
      continue;
    }
    std::string piece(text.substr(span.begin, span.end - span.begin));
    if (normalizer != nullptr) {
      absl::StatusOr<std::string> normal = normalizer->Normalize(std::move(piece));
      if (!normal.ok()) return normal.status();
      piece = *std::move(normal);
    }
    total += piece.size();
    if (total > kMaxTextBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the text has more than ", kMaxTextBytes, " bytes after normalisation"));
    }
    for (const Span& part : Spans(piece, normalized_, specials_are_text)) {
      if (part.token >= 0) {
        pieces.push_back({"", tokens_[static_cast<size_t>(part.token)].id});
      } else {
        pieces.push_back({piece.substr(part.begin, part.end - part.begin), -1});
      }
    }
  }
  return pieces;
}

const AddedToken* AddedTokens::Find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::Find(absl::string_view content) const {
  const auto found = by_content_.find(content);
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

absl::string_view AddedTokens::DecodedForm(const AddedToken& token) const {
  return normal_forms_[static_cast<size_t>(&token - tokens_.data())];
}

}  // namespace lvrpo
