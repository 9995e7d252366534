#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// Collects the errors of a file's lines, so that a user sees them all at once. Not thread-safe.
class LineErrors {
 public:
  static constexpr size_t kMostShown = 20;

  explicit LineErrors(std::string file) : file_(std::move(file)) {}

  // One problem of a line (the first is 1), in one line of text. Lines come in order.
  void Add(int line, absl::string_view what);

  // OK, or InvalidArgument: "file:3: what" for each of the first 20, a line each, and how many more there
  // are.
  absl::Status status() const;

 private:
  const std::string file_;
  std::vector<std::string> shown_;
  size_t count_ = 0;
  int last_line_ = 0;
};

}  // namespace lvrpo
