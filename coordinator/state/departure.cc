#include "coordinator/state/departure.h"

namespace lvrpo {

NextStep NextStepOf(const DepartureFacts& facts) {
  if (!facts.draining && !facts.finished) {
    if (!facts.told) return NextStep::kServe;
    if (facts.orphaned) return NextStep::kDrain;
    const bool serves = facts.told_for < (facts.learner_leaves ? facts.grace : facts.hearing);
    return serves ? NextStep::kServe : NextStep::kLeave;
  }
  if (facts.told && (facts.alone || facts.overdue || facts.told_for > facts.grace)) return NextStep::kEnd;
  if (!facts.alone && !facts.overdue) return NextStep::kServe;
  return facts.stays ? NextStep::kRest : NextStep::kEnd;
}

}  // namespace lvrpo
