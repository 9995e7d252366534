#include "verifiers/images/detected_objects.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kMostEntries = 32;
constexpr int kMostCount = 64;

using Include = v1::DetectedObjectsRule::Include;
using Exclude = v1::DetectedObjectsRule::Exclude;
using Objects = std::vector<const Detection*>;  // best first

bool IsRelation(const std::string& name) {
  return name == "left of" || name == "right of" || name == "above" || name == "below";
}

// Checks the fields that both kinds of entries have; empty when nothing is wrong.
template <typename Entry>
std::string WhatIsWrong(const Entry& entry) {
  if (entry.class_name().empty()) return "has no class_name";
  if (entry.class_name().size() > kMostNameBytes)
    return absl::StrCat("has a class_name of ", entry.class_name().size(), " bytes; at most ", kMostNameBytes,
                        " are allowed");
  if (entry.count() < 1 || entry.count() > kMostCount)
    return absl::StrCat("has the count ", entry.count(), "; it must be 1 to ", kMostCount);
  return "";
}

std::string WhatIsWrong(const v1::DetectedObjectsRule& rule, int index) {
  const Include& include = rule.include(index);
  std::string wrong = WhatIsWrong(include);
  if (!wrong.empty()) return wrong;
  if (include.color().size() > kMostNameBytes)
    return absl::StrCat("has a color of ", include.color().size(), " bytes; at most ", kMostNameBytes,
                        " are allowed");
  if (!include.relation().empty()) {
    if (!IsRelation(include.relation()))
      return "has an unknown relation; there are \"left of\", \"right of\", \"above\" and \"below\"";
    if (include.target() < 0 || include.target() >= index)
      return absl::StrCat("has the target ", include.target(),
                          "; it must be 0 or more and below its own index");
  }
  for (const Exclude& exclude : rule.exclude()) {
    if (exclude.class_name() == include.class_name() && exclude.count() <= include.count())
      return absl::StrCat("asks for ", include.count(), " of a class of which ", exclude.count(),
                          " are excluded");
  }
  return "";
}

// The best detections of a class, as many as are kept.
class Found {
 public:
  Found(const v1::DetectedObjectsRule& rule, const std::vector<Detection>& detections,
        const DetectionThresholds& thresholds)
      : detections_(detections),
        score_(rule.exact_count() ? thresholds.counting_score : thresholds.score),
        most_(thresholds.most_per_class) {
    for (const Include& include : rule.include()) most_ = std::max(most_, include.count() + 1);
    for (const Exclude& exclude : rule.exclude()) most_ = std::max(most_, exclude.count() + 1);
  }

  Objects Of(const std::string& class_name) const {
    Objects objects;
    for (const Detection& detection : detections_) {
      if (detection.score > score_ && detection.class_name == class_name) objects.push_back(&detection);
    }
    std::stable_sort(objects.begin(), objects.end(),
                     [](const Detection* a, const Detection* b) { return a->score > b->score; });
    objects.resize(std::min(objects.size(), static_cast<size_t>(most_)));
    return objects;
  }

 private:
  const std::vector<Detection>& detections_;
  const double score_;
  int most_;
};

// Distance of the centres along one axis, less the margin: positive when `a` lies further.
double Beyond(double a0, double a1, double b0, double b1, double margin) {
  const double distance = (a0 + a1 - b0 - b1) / 2;
  const double rest = std::abs(distance) - margin * (a1 - a0 + b1 - b0);
  return rest > 0 ? std::copysign(rest, distance) : 0;
}

bool Stands(const Detection& a, const std::string& relation, const Detection& b,
            const DetectionThresholds& thresholds) {
  const double length = std::hypot((a.x0 + a.x1 - b.x0 - b.x1) / 2, (a.y0 + a.y1 - b.y0 - b.y1) / 2);
  const double right = Beyond(a.x0, a.x1, b.x0, b.x1, thresholds.position_margin);
  const double down = Beyond(a.y0, a.y1, b.y0, b.y1, thresholds.position_margin);
  if (std::abs(right) < 1e-3 && std::abs(down) < 1e-3) return false;  // one on the other; pixels
  const double least = thresholds.position_share * length;
  if (relation == "left of") return right < -least;
  if (relation == "right of") return right > least;
  if (relation == "above") return down < -least;
  return down > least;
}

std::string Things(int count, const std::string& name) { return absl::StrCat(count, " \"", name, "\""); }

// The checks of one rule: their grades, and why the first of those that fail does.
class Checks {
 public:
  // A grade of 1 is a check that holds.
  void Add(double grade, const std::string& why) {
    sum_ += grade;
    ++count_;
    if (grade < 1 && why_.empty()) why_ = why;
  }

  Verdict Result() const {
    if (why_.empty()) return {.holds = true, .grade = 1, .why = ""};
    return {.holds = false, .grade = sum_ / count_, .why = why_};
  }

 private:
  double sum_ = 0;
  int count_ = 0;
  std::string why_;
};

class Verification {
 public:
  Verification(const v1::DetectedObjectsRule& rule, const std::vector<Detection>& detections,
               const DetectionThresholds& thresholds)
      : rule_(rule), thresholds_(thresholds), found_(rule, detections, thresholds) {}

  Verdict Run() {
    for (const Include& include : rule_.include()) Check(include);
    for (const Exclude& exclude : rule_.exclude()) Check(exclude);
    return checks_.Result();
  }

 private:
  void Check(const Include& include) {
    Objects objects = found_.Of(include.class_name());
    const int found = static_cast<int>(objects.size()), count = include.count();
    const int off = rule_.exact_count() ? std::abs(count - found) : std::max(0, count - found);
    checks_.Add(std::max(0.0, 1 - static_cast<double>(off) / count),
                absl::StrCat("found ", Things(found, include.class_name()), " where ",
                             rule_.exact_count() ? "exactly " : "at least ", count, " are asked"));
    if (found > count) objects.resize(static_cast<size_t>(count));
    bool matched = found >= count;
    if (!include.color().empty()) {
      const auto right =
          static_cast<int>(std::count_if(objects.begin(), objects.end(), [&](const Detection* one) {
            return one->color == include.color();
          }));
      checks_.Add(static_cast<double>(right) / count,
                  absl::StrCat("found ", Things(right, include.class_name()), " that are ", include.color(),
                               " where ", count, " are asked"));
      matched = matched && right >= count;
    }
    if (!include.relation().empty()) {
      const bool stands = matched && StandTo(objects, include);
      // A position that fails is one check of 0. The graded version of GenEval in circulation
      // (yifan123/reward-server, gen_eval.py) appends a 0, leaves its loops over the pairs, and then appends
      // the 1 of a right position in any case: there a wrong position is worth one half of two checks.
      checks_.Add(stands ? 1 : 0, absl::StrCat("\"", include.class_name(), "\" is not ", include.relation(),
                                               " \"", rule_.include(include.target()).class_name(), "\""));
      matched = matched && stands;
    }
    groups_.push_back(matched ? objects : Objects());
  }

  bool StandTo(const Objects& objects, const Include& include) const {
    const Objects& targets = groups_[static_cast<size_t>(include.target())];
    if (targets.empty()) return false;  // not matched: a matched group has at least one
    return std::all_of(objects.begin(), objects.end(), [&](const Detection* object) {
      return std::all_of(targets.begin(), targets.end(), [&](const Detection* target) {
        return Stands(*object, include.relation(), *target, thresholds_);
      });
    });
  }

  void Check(const Exclude& exclude) {
    const int found = static_cast<int>(found_.Of(exclude.class_name()).size());
    const int surplus = std::max(0, found - exclude.count() + 1);
    checks_.Add(std::max(0.0, 1 - static_cast<double>(surplus) / exclude.count()),
                absl::StrCat("found ", Things(found, exclude.class_name()), " where fewer than ",
                             exclude.count(), " are asked"));
  }

  const v1::DetectedObjectsRule& rule_;
  const DetectionThresholds& thresholds_;
  const Found found_;
  std::vector<Objects> groups_;  // per included entry: the matching objects, none when it fails
  Checks checks_;
};

}  // namespace

absl::Status CheckDetectedObjectsRule(const v1::DetectedObjectsRule& rule) {
  const auto refused = [](const std::string& what) {
    return absl::InvalidArgumentError("detected_objects: " + what);
  };
  const int includes = rule.include_size(), excludes = rule.exclude_size();
  if (includes + excludes == 0) return refused("neither include nor exclude has an entry");
  if (includes > kMostEntries)
    return refused(
        absl::StrCat("include has ", includes, " entries; at most ", kMostEntries, " are allowed"));
  if (excludes > kMostEntries)
    return refused(
        absl::StrCat("exclude has ", excludes, " entries; at most ", kMostEntries, " are allowed"));
  for (int i = 0; i < excludes; ++i) {
    const std::string wrong = WhatIsWrong(rule.exclude(i));
    if (!wrong.empty()) return refused(absl::StrCat("exclude[", i, "] ", wrong));
  }
  for (int i = 0; i < includes; ++i) {
    const std::string wrong = WhatIsWrong(rule, i);
    if (!wrong.empty()) return refused(absl::StrCat("include[", i, "] ", wrong));
  }
  return absl::OkStatus();
}

Verdict VerifyDetectedObjects(const v1::DetectedObjectsRule& rule, const std::vector<Detection>& detections,
                              const DetectionThresholds& thresholds) {
  return Verification(rule, detections, thresholds).Run();
}

}  // namespace lvrpo
