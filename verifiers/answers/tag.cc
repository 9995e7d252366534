#include "verifiers/answers/tag.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {
namespace {

constexpr size_t kMostTagBytes = 32;

struct Occurrences {
  int count = 0;
  size_t first = 0;
};

Occurrences Count(absl::string_view text, absl::string_view needle) {
  Occurrences found;
  for (size_t at = text.find(needle); at != absl::string_view::npos;
       at = text.find(needle, at + needle.size())) {
    if (found.count++ == 0) found.first = at;
  }
  return found;
}

}  // namespace

TagPlaces FindTag(absl::string_view text, const std::string& tag) {
  const std::string opening = absl::StrCat("<", tag, ">"), closing = absl::StrCat("</", tag, ">");
  const Occurrences open = Count(text, opening), close = Count(text, closing);
  TagPlaces places;
  places.opened = open.count;
  places.closed = close.count;
  const size_t begin = open.first + opening.size();
  if (open.count != 1 || close.count != 1 || close.first < begin) return places;
  places.paired = true;
  places.content = text.substr(begin, close.first - begin);
  places.after = text.substr(close.first + closing.size());
  return places;
}

std::optional<absl::string_view> AnswerPart(absl::string_view text, const std::string& tag) {
  if (tag.empty()) return text;
  const TagPlaces places = FindTag(text, tag);
  return places.paired ? std::optional(places.content) : std::nullopt;
}

std::string NotOnce(const std::string& tag) {
  return absl::StrCat("<", tag, ">...</", tag, "> is not there exactly once");
}

absl::Status CheckTag(const std::string& tag, absl::string_view field) {
  const bool named = std::all_of(
      tag.begin(), tag.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
  if (!tag.empty() && tag.size() <= kMostTagBytes && named) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", QuoteToken(tag),
                                                 "; give the name alone, 1 to ", kMostTagBytes,
                                                 " ASCII letters, digits, '-' and '_', such as \"answer\""));
}

absl::Status CheckOptionalTag(const std::string& tag, absl::string_view field) {
  return tag.empty() ? absl::OkStatus() : CheckTag(tag, field);
}

}  // namespace lvrpo
