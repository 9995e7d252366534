#include "data/prompts/line_errors.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lvrpo {

void LineErrors::Add(int line, absl::string_view what) {
  ++count_;
  last_line_ = line;
  if (shown_.size() < kMostShown) shown_.push_back(absl::StrCat(file_, ":", line, ": ", what));
}

absl::Status LineErrors::status() const {
  if (count_ == 0) return absl::OkStatus();
  std::string all = absl::StrJoin(shown_, "\n");
  if (const size_t more = count_ - shown_.size(); more > 0) {
    absl::StrAppend(&all, "\n", file_, ": and ", more, more == 1 ? " more line is" : " more lines are",
                    " wrong, the last is ", last_line_);
  }
  return absl::InvalidArgumentError(all);
}

}  // namespace lvrpo
