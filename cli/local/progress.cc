#include "cli/local/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "common/files/file_kind.h"
#include "common/utf8.h"

namespace lvrpo {

std::string FormatSeconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 100) return absl::StrFormat("%d s", whole);
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

std::string FormatProgress(const ProgressInput& input) {
  const v1::GetStatusResponse& status = input.status;
  std::string line = absl::StrFormat("step %d/%d", status.step(), status.total_steps());
  if (input.seconds_left.has_value() && status.step() < status.total_steps())
    absl::StrAppend(&line, "  ", FormatSeconds(std::max(1., *input.seconds_left)), " left");
  if (!status.waiting_for().empty()) absl::StrAppend(&line, "  waiting for ", status.waiting_for());
  const auto& means = status.recent_reward_means();
  if (const auto reward = means.find("reward"); reward != means.end()) {
    absl::StrAppendFormat(&line, "  reward %.3f", reward->second);
    std::string parts;
    for (const auto& [name, mean] : std::map<std::string, double>(means.begin(), means.end())) {
      if (name != "reward") absl::StrAppendFormat(&parts, "%s%s %.2f", parts.empty() ? "" : ", ", name, mean);
    }
    if (!parts.empty()) absl::StrAppend(&line, " (", parts, ")");
  }
  if (const v1::EvaluationRecord& heldout = status.heldout(); heldout.has_gain()) {
    absl::StrAppendFormat(&line, "  held-out %+.3f", heldout.gain());
  } else if (heldout.has_score()) {
    absl::StrAppendFormat(&line, "  held-out %.3f", heldout.score());
  }
  if (input.samples_per_second > 0)
    absl::StrAppendFormat(&line, "  %.0f samples/s", input.samples_per_second);
  return line;
}

std::optional<double> SecondsLeft(const std::vector<StepTime>& seen, int64_t total, double now) {
  constexpr size_t kMost = 64;
  constexpr double kPause = 60;
  std::vector<double> each;  // seconds of a step
  for (size_t i = seen.size() > kMost ? seen.size() - kMost : 1; i < seen.size(); ++i) {
    const int64_t steps = seen[i].steps - seen[i - 1].steps;
    const double seconds = seen[i].seconds - seen[i - 1].seconds;
    if (steps > 0 && seconds >= 0) each.push_back(seconds / static_cast<double>(steps));
  }
  if (each.empty()) return std::nullopt;
  const auto middle = each.begin() + static_cast<ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  const double idle = std::max(0., now - seen.back().seconds);
  if (idle > kPause && idle > 10 * *middle) return std::nullopt;
  return *middle * static_cast<double>(std::max<int64_t>(0, total - seen.back().steps));
}

ProgressPrinter::ProgressPrinter() : terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressPrinter::Say(const std::string& line) {
  Done();
  std::fprintf(stderr, "%s\n", unicode::RepairUtf8(line).c_str());  // paths are bytes
}

void ProgressPrinter::Show(const std::string& line, int64_t step) {
  if (!terminal_) {
    const absl::Time now = RealClock().Now();
    const bool due = step < last_step_ || step >= last_step_ + 10 ||
                     (step > last_step_ && now - last_time_ >= absl::Minutes(1));
    if (last_step_ >= 0 && !due) return;
    last_step_ = step;
    last_time_ = now;
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  winsize size = {};
  const size_t width =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1u : 119u;
  const std::string cut = OneLine(line, width - 3);  // and "..."
  const auto columns =
      static_cast<size_t>(std::count_if(cut.begin(), cut.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  std::fprintf(stderr, "\r%s%s", cut.c_str(),
               std::string(shown_ > columns ? shown_ - columns : 0, ' ').c_str());
  std::fflush(stderr);
  shown_ = columns;
}

void ProgressPrinter::Done() {
  if (shown_ > 0) std::fprintf(stderr, "\n");
  shown_ = 0;
}

}  // namespace lvrpo
