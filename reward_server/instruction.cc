#include "reward_server/instruction.h"

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kMostAsked = 8;  // the search below is over all assignments

bool Fits(const FoundObject& object, const v1::ObjectConstraint& asked) {
  return (asked.shape().empty() || asked.shape() == object.shape) &&
         (asked.color().empty() || asked.color() == object.color);
}

// Along its axis, the vector between the centres has more than half of its length.
bool RelationHolds(const std::string& relation, const FoundObject& subject, const FoundObject& object) {
  const double dx = subject.x - object.x, dy = subject.y - object.y, length = std::hypot(dx, dy);
  if (length == 0) return false;
  if (relation == "left of") return -dx > length / 2;
  if (relation == "right of") return dx > length / 2;
  if (relation == "above") return -dy > length / 2;
  if (relation == "below") return dy > length / 2;
  return false;
}

}  // namespace

RuleResult ApplyRules(const v1::Constraints& constraints, const std::vector<FoundObject>& objects, int width,
                      int height) {
  std::vector<int> asked;  // index of the constraint, once per object asked
  std::vector<int> first_of(static_cast<size_t>(constraints.objects_size()), -1);
  for (int i = 0; i < constraints.objects_size(); ++i) {
    first_of[static_cast<size_t>(i)] = static_cast<int>(asked.size());
    for (int n = 0; n < constraints.objects(i).count(); ++n) asked.push_back(i);
  }
  RuleResult best;
  best.rules =
      static_cast<int>(asked.size()) + constraints.relations_size() + 1 + (constraints.width() > 0 ? 1 : 0);
  best.hold = -1;
  std::vector<int> chosen(asked.size(), -1);  // object of each thing asked
  std::vector<char> used(objects.size(), 0);
  const std::function<void(size_t)> search = [&](size_t at) {
    if (at < asked.size()) {
      for (size_t i = 0; i < objects.size(); ++i) {
        if (used[i] || !Fits(objects[i], constraints.objects(asked[at]))) continue;
        used[i] = 1;
        chosen[at] = static_cast<int>(i);
        search(at + 1);
        used[i] = 0;
      }
      chosen[at] = -1;
      search(at + 1);
      return;
    }
    int hold = 0;
    std::string broken;
    for (size_t k = 0; k < asked.size(); ++k) {
      if (chosen[k] >= 0) {
        ++hold;
      } else {
        const v1::ObjectConstraint& wanted = constraints.objects(asked[k]);
        absl::StrAppend(&broken, broken.empty() ? "" : "; ", "no ", wanted.color(),
                        wanted.color().empty() ? "" : " ",
                        wanted.shape().empty() ? "object" : wanted.shape());
      }
    }
    for (const v1::RelationConstraint& relation : constraints.relations()) {
      const int subject = chosen[static_cast<size_t>(first_of[static_cast<size_t>(relation.subject())])];
      const int object = chosen[static_cast<size_t>(first_of[static_cast<size_t>(relation.object())])];
      if (subject >= 0 && object >= 0 &&
          RelationHolds(relation.relation(), objects[static_cast<size_t>(subject)],
                        objects[static_cast<size_t>(object)])) {
        ++hold;
      } else {
        absl::StrAppend(&broken, broken.empty() ? "" : "; ", "not ", relation.relation());
      }
    }
    if (objects.size() <= asked.size()) {
      ++hold;
    } else {
      absl::StrAppend(&broken, broken.empty() ? "" : "; ", objects.size() - asked.size(), " too many");
    }
    if (constraints.width() > 0) {
      if (width == constraints.width() && height == constraints.height()) {
        ++hold;
      } else {
        absl::StrAppend(&broken, broken.empty() ? "" : "; ", "size ", width, "x", height);
      }
    }
    if (hold > best.hold) {
      best.hold = hold;
      best.broken = broken;
    }
  };
  search(0);
  return best;
}

absl::StatusOr<std::vector<Score>> InstructionScorer::ScoreBatch(const ScoringBatch& batch) {
  const v1::Constraints& constraints = batch.prompt.constraints();
  int asked = 0;
  for (const v1::ObjectConstraint& object : constraints.objects()) asked += object.count();
  if (asked > kMostAsked) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", batch.prompt.id(), " asks for ", asked,
                                                   " objects; rules are checked for at most ", kMostAsked));
  }
  for (const v1::RelationConstraint& relation : constraints.relations()) {
    if (relation.subject() < 0 || relation.subject() >= constraints.objects_size() || relation.object() < 0 ||
        relation.object() >= constraints.objects_size() ||
        constraints.objects(relation.subject()).count() < 1 ||
        constraints.objects(relation.object()).count() < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", batch.prompt.id(), " has a relation to an object that it does not list"));
    }
  }
  std::vector<Score> scores;
  for (const RgbImage& image : batch.images) {
    std::vector<FoundObject> objects = finder_.Find(image);
    // Many more objects than asked break the last rule whatever they are: a few suffice for the others.
    const RuleResult result = ApplyRules(
        constraints,
        objects.size() > 12 ? std::vector<FoundObject>(objects.begin(), objects.begin() + 12) : objects,
        image.width, image.height);
    Score score;
    score.value = form_ == Form::kProduct
                      ? (result.hold == result.rules ? 1.0f : 0.0f)
                      : static_cast<float>(result.hold) / static_cast<float>(result.rules);
    score.detail = result.broken;
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace lvrpo
