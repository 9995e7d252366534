#include "common/net/denials.h"

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);

void Warn(const std::string& line) { spdlog::warn("{}", line); }

}  // namespace

Denials::Denials(Count count, Log log, Clock& clock)
    : count_(std::move(count)), log_(log ? std::move(log) : Warn), clock_(clock) {}

void Denials::Note(const std::string& method, const std::string& reason, const std::string& sentence) {
  if (count_) count_(method, reason);
  const absl::Time now = clock_.Now();
  int left_out = 0;
  {
    absl::MutexLock lock(&mutex_);
    Line& line = lines_[absl::StrCat(method, " ", reason)];
    if (now < line.next) {
      ++line.left_out;
      return;
    }
    line.next = now + kBetweenLines;
    std::swap(left_out, line.left_out);
  }
  log_(absl::StrCat(
      "refused ", method.empty() ? "a connection" : method, ": ", sentence,
      left_out > 0 ? absl::StrCat(" (and ", left_out, " times more since the last such line)") : ""));
}

}  // namespace lvrpo
