#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/choice.h"
#include "common/files/filesystem.h"

namespace lvrpo {

// Collects what is wrong with the values of a configuration, "field: what, and what to do" each, so that a
// user reads it all at once.
class ConfigProblems {
 public:
  void Range(const std::string& field, double value, double low, double high) {
    if (value >= low && value <= high) return;
    Add(field, absl::StrCat(value, " is out of range: use ", low, " to ", high));
  }
  void Positive(const std::string& field, double value) {
    if (!(value > 0)) Add(field, absl::StrCat(value, " must be above 0"));
  }
  void OneOf(const std::string& field, absl::string_view value, std::span<const absl::string_view> allowed) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
    Add(field, absl::StrCat("'", value, "' is not one of ", absl::StrJoin(allowed, ", ")));
  }
  template <class Value, size_t size>
  void OneOf(const std::string& field, absl::string_view value, const Choice<Value> (&table)[size]) {
    OneOf(field, value, SettableWords(table));
  }
  void Exists(const std::string& field, const std::string& path) {
    if (path.empty()) return Add(field, "is empty: name a path");
    const absl::StatusOr<PathKind> kind = KindOf(path);
    if (!kind.ok()) {
      Add(field, std::string(kind.status().message()));
    } else if (*kind == PathKind::kMissing) {
      Add(field, absl::StrCat("there is no ", path));
    }
  }
  void Add(const std::string& field, const std::string& what) {
    found.push_back(absl::StrCat(field, ": ", what));
  }

  std::vector<std::string> found;
};

}  // namespace lvrpo
