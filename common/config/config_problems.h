#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
  void OneOf(const std::string& field, const std::string& value, std::initializer_list<const char*> allowed) {
    for (const char* name : allowed) {
      if (value == name) return;
    }
    Add(field, absl::StrCat("'", value, "' is not one of ", absl::StrJoin(allowed, ", ")));
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
