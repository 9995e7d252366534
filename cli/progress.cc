#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lvrpo {

std::string FormatSeconds(double seconds) {
  if (seconds < 100) return absl::StrFormat("%.0f s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

std::string FormatProgress(const ProgressInput& input) {
  const v1::GetStatusResponse& status = input.status;
  std::string line = absl::StrFormat("step %d/%d", status.step(), status.total_steps());
  const auto& means = status.recent_reward_means();
  if (const auto reward = means.find("reward"); reward != means.end()) {
    absl::StrAppendFormat(&line, "  reward %.3f", reward->second);
    std::string parts;
    for (const char* name : {"grounding", "instruction", "knowledge", "exact_match"}) {
      if (const auto mean = means.find(name); mean != means.end()) {
        absl::StrAppendFormat(&parts, "%s%s %.2f", parts.empty() ? "" : ", ", name, mean->second);
      }
    }
    if (!parts.empty()) absl::StrAppend(&line, " (", parts, ")");
  }
  if (!input.heldout.empty()) absl::StrAppend(&line, "  held-out ", input.heldout);
  if (input.samples_per_second > 0)
    absl::StrAppendFormat(&line, "  %.0f samples/s", input.samples_per_second);
  const int64_t done = status.step() - input.first_step;
  if (done > 0 && status.step() < status.total_steps()) {
    const double left = absl::ToDoubleSeconds(input.elapsed) / static_cast<double>(done) *
                        static_cast<double>(status.total_steps() - status.step());
    absl::StrAppend(&line, "  ", FormatSeconds(left), " left");
  }
  if (!status.waiting_for().empty()) absl::StrAppend(&line, "  waiting for ", status.waiting_for());
  return line;
}

ProgressPrinter::ProgressPrinter() : terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressPrinter::Say(const std::string& line) {
  Done();
  std::fprintf(stderr, "%s\n", line.c_str());
}

void ProgressPrinter::Show(const std::string& line, int64_t step) {
  if (!terminal_) {
    if (last_step_ >= 0 && step < last_step_ + 10) return;
    last_step_ = step;
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  winsize size = {};
  const size_t width =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1u : 119u;
  const std::string cut = line.substr(0, width);
  std::fprintf(stderr, "\r%s%s", cut.c_str(),
               std::string(shown_ > cut.size() ? shown_ - cut.size() : 0, ' ').c_str());
  std::fflush(stderr);
  shown_ = cut.size();
}

void ProgressPrinter::Done() {
  if (shown_ > 0) std::fprintf(stderr, "\n");
  shown_ = 0;
}

}  // namespace lvrpo
