#include "verifiers/images/written_text.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"
#include "verifiers/answers/folded.h"
#include "verifiers/judgement.h"

namespace lvrpo {
namespace {

constexpr size_t kMostWanted = 200;
constexpr size_t kMostWantedBytes = 4096;
constexpr size_t kMostRecognised = 20000;

std::vector<char32_t> Characters(absl::string_view text) {
  const std::string folded = Folded(unicode::RepairUtf8(text), Spaces::kNone);
  std::vector<char32_t> characters;
  for (size_t at = 0; at < folded.size();) characters.push_back(unicode::NextCodePoint(folded, &at));
  return characters;
}

// The least edit distance of `wanted` to any part of `text`: the usual table, whose first row is 0 because a
// part may begin anywhere and whose last row is minimised over all columns because it may end anywhere.
size_t DistanceToPart(const std::vector<char32_t>& wanted, const std::vector<char32_t>& text) {
  std::vector<size_t> column(wanted.size() + 1);  // distance of wanted[0, i) to the parts that end here
  for (size_t i = 0; i < column.size(); ++i) column[i] = i;
  size_t least = column.back();
  for (const char32_t c : text) {
    size_t diagonal = column[0];
    for (size_t i = 1; i < column.size(); ++i) {
      const size_t replaced = diagonal + (wanted[i - 1] == c ? 0 : 1);
      diagonal = column[i];
      column[i] = std::min({replaced, column[i] + 1, column[i - 1] + 1});
    }
    least = std::min(least, column.back());
  }
  return least;
}

}  // namespace

double WrittenSimilarity(absl::string_view wanted, absl::string_view recognised) {
  const std::vector<char32_t> asked = Characters(wanted);
  if (asked.empty()) return 1;
  std::vector<char32_t> read = Characters(recognised);
  read.resize(std::min(read.size(), kMostRecognised));
  return 1 - static_cast<double>(DistanceToPart(asked, read)) / static_cast<double>(asked.size());
}

absl::Status CheckWrittenTextRule(const v1::WrittenTextRule& rule) {
  const size_t wanted =
      rule.text().size() > kMostWantedBytes ? kMostWantedBytes : Characters(rule.text()).size();
  if (wanted < 1 || wanted > kMostWanted) {
    return absl::InvalidArgumentError(absl::StrCat("written_text.text ", QuoteToken(rule.text()),
                                                   " must have 1 to ", kMostWanted,
                                                   " characters besides white space"));
  }
  if (!(rule.least_similarity() >= 0 && rule.least_similarity() <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("written_text.least_similarity is ",
                                                   rule.least_similarity(), "; it must be 0 to 1 (0 = 1)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Verdict> VerifyWrittenText(const v1::WrittenTextRule& rule, absl::string_view recognised) {
  if (absl::Status status = CheckWrittenTextRule(rule); !status.ok()) return status;
  const double least = rule.least_similarity() > 0 ? rule.least_similarity() : 1;
  const double similarity = WrittenSimilarity(rule.text(), recognised);
  if (similarity >= least) return Holds();
  return Broken(
      similarity / least,
      absl::StrCat(std::round(similarity * 100), " % of ", QuoteToken(rule.text()), " can be read in ",
                   QuoteToken(recognised), " where ", std::round(least * 100), " % is asked"));
}

}  // namespace lvrpo
