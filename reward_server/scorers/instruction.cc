#include "reward_server/scorers/instruction.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifiers/rules/scorable.h"

namespace lvrpo {
namespace {

constexpr size_t kMostObjects = 12;  // per image that are considered

bool Fits(const SegmentedObject& object, const v1::ObjectConstraint& asked) {
  return (asked.shape().empty() || asked.shape() == object.shape) &&
         (asked.color().empty() || asked.color() == object.color);
}

// Along its axis, the vector between the centres has more than half of its length.
bool RelationHolds(const std::string& relation, const SegmentedObject& subject,
                   const SegmentedObject& object) {
  const double dx = subject.x - object.x, dy = subject.y - object.y, length = std::hypot(dx, dy);
  if (length == 0) return false;
  if (relation == "left of") return -dx > length / 2;
  if (relation == "right of") return dx > length / 2;
  if (relation == "above") return -dy > length / 2;
  if (relation == "below") return dy > length / 2;
  return false;
}

// Assigns objects to requests so that the most rules hold: depth-first branch and bound over all assignments.
// Everything it is given must outlive it.
class Assignment {
 public:
  // `asked`: index of the constraint, once per object asked, in order.
  Assignment(const v1::Constraints& constraints, const std::vector<int>& asked,
             const std::vector<SegmentedObject>& objects)
      : constraints_(constraints),
        asked_(asked),
        objects_(objects),
        decided_(asked.size()),
        possible_(asked.size() + 1, 0),
        used_(objects.size(), 0),
        chosen_(asked.size(), -1) {
    for (const v1::RelationConstraint& relation : constraints.relations()) {
      size_t last = 0;
      for (size_t k = 0; k < asked.size(); ++k) {
        if (asked[k] == relation.subject() || asked[k] == relation.object()) last = k;
      }
      decided_[last].push_back(&relation);
    }
    for (size_t k = asked.size(); k-- > 0;)
      possible_[k] = possible_[k + 1] + 1 + static_cast<int>(decided_[k].size());
    Search(0, 0);
  }

  // Index of the object that each thing asked got; -1: none.
  const std::vector<int>& best() const { return best_; }

  // The relation holds between every subject and every object; false while one of them is missing.
  bool Holds(const v1::RelationConstraint& relation, const std::vector<int>& chosen) const {
    for (size_t a = 0; a < asked_.size(); ++a) {
      for (size_t b = 0; b < asked_.size(); ++b) {
        if (asked_[a] != relation.subject() || asked_[b] != relation.object()) continue;
        if (chosen[a] < 0 || chosen[b] < 0 ||
            !RelationHolds(relation.relation(), objects_[static_cast<size_t>(chosen[a])],
                           objects_[static_cast<size_t>(chosen[b])])) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  void Search(size_t at, int hold) {
    if (hold + possible_[at] <= best_hold_) return;
    if (at == asked_.size()) {
      best_hold_ = hold;
      best_ = chosen_;
      return;
    }
    for (size_t i = 0; i < objects_.size(); ++i) {
      if (used_[i] || !Fits(objects_[i], constraints_.objects(asked_[at]))) continue;
      used_[i] = 1;
      chosen_[at] = static_cast<int>(i);
      int related = 0;
      for (const v1::RelationConstraint* relation : decided_[at]) related += Holds(*relation, chosen_);
      Search(at + 1, hold + 1 + related);
      used_[i] = 0;
    }
    chosen_[at] = -1;
    Search(at + 1, hold);
  }

  const v1::Constraints& constraints_;
  const std::vector<int>& asked_;
  const std::vector<SegmentedObject>& objects_;
  std::vector<std::vector<const v1::RelationConstraint*>>
      decided_;                // by the last requested object they refer to
  std::vector<int> possible_;  // rules that may still hold from this request on
  std::vector<char> used_;
  std::vector<int> chosen_, best_;
  int best_hold_ = -1;
};

// Why these constraints cannot be checked; empty when they can.
std::string WhatIsWrong(const v1::Constraints& constraints) {
  int asked = 0;
  for (const v1::ObjectConstraint& object : constraints.objects()) {
    if (object.count() < 1) return absl::StrCat("asks for ", object.count(), " objects of a kind");
    // Each summand is bounded before it is added.
    asked += std::min(object.count(), kMostAskedObjects + 1);
    if (asked > kMostAskedObjects) {
      return absl::StrCat("asks for more than ", kMostAskedObjects,
                          " objects, the most that rules are checked for");
    }
  }
  for (const v1::RelationConstraint& relation : constraints.relations()) {
    const int objects = constraints.objects_size();
    if (relation.subject() < 0 || relation.subject() >= objects || relation.object() < 0 ||
        relation.object() >= objects) {
      return "has a relation to an object that it does not list";
    }
  }
  return "";
}

}  // namespace

RuleResult ApplyRules(const v1::Constraints& constraints, const std::vector<SegmentedObject>& objects,
                      int width, int height) {
  std::vector<int> asked;
  for (int i = 0; i < constraints.objects_size(); ++i)
    asked.insert(asked.end(), static_cast<size_t>(constraints.objects(i).count()), i);
  const Assignment assignment(constraints, asked, objects);
  RuleResult result;
  const auto rule = [&](bool holds, const std::string& broken) {
    ++result.rules;
    if (holds) {
      ++result.hold;
    } else {
      absl::StrAppend(&result.broken, result.broken.empty() ? "" : "; ", broken);
    }
  };
  for (size_t k = 0; k < asked.size(); ++k) {
    const v1::ObjectConstraint& wanted = constraints.objects(asked[k]);
    rule(assignment.best()[k] >= 0, absl::StrCat("no ", wanted.color(), wanted.color().empty() ? "" : " ",
                                                 wanted.shape().empty() ? "object" : wanted.shape()));
  }
  for (const v1::RelationConstraint& relation : constraints.relations())
    rule(assignment.Holds(relation, assignment.best()), absl::StrCat("not ", relation.relation()));
  rule(objects.size() <= asked.size(), absl::StrCat(objects.size() - asked.size(), " too many"));
  if (constraints.width() > 0 || constraints.height() > 0) {
    rule((constraints.width() <= 0 || width == constraints.width()) &&
             (constraints.height() <= 0 || height == constraints.height()),
         absl::StrCat("size ", width, "x", height));
  }
  return result;
}

absl::StatusOr<std::vector<SampleScore>> InstructionScorer::ScoreGroup(const ScoringGroup& group) {
  const v1::Constraints& constraints = group.prompt.constraints();
  const bool constrained = group.prompt.task() == v1::TASK_KIND_IMAGE && group.prompt.has_constraints();
  if (const std::string wrong = WhatIsWrong(constraints); !wrong.empty())
    return absl::InvalidArgumentError(absl::StrCat("prompt '", group.prompt.id(), "' ", wrong));
  const absl::StatusOr<std::vector<std::vector<Verdict>>> verdicts = judge_.Judge(group);
  if (!verdicts.ok()) return verdicts.status();
  std::vector<SampleScore> scores;
  for (size_t i = 0; i < group.size(); ++i) {
    RuleResult result;
    if (constrained) {
      const RgbImage& image = group.images[i];
      std::vector<SegmentedObject> objects = finder_.Find(image);
      // Many more objects than asked break the last rule whatever they are: a few suffice for the others.
      if (objects.size() > kMostObjects) objects.resize(kMostObjects);
      result = ApplyRules(constraints, objects, image.width, image.height);
    }
    double grades = result.hold;
    for (const Verdict& verdict : (*verdicts)[i]) {
      ++result.rules;
      result.hold += verdict.holds;
      grades += verdict.grade;
      if (!verdict.holds) absl::StrAppend(&result.broken, result.broken.empty() ? "" : "; ", verdict.why);
    }
    SampleScore score;
    score.value = form_ == Form::kProduct ? (result.hold == result.rules ? 1.0f : 0.0f)
                                          : static_cast<float>(grades / result.rules);
    score.detail = result.broken;
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace lvrpo
