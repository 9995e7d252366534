#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace lvrpo {

// How a run stands for whoever evaluates it.
struct EvaluationFacts {
  int64_t total = 0;            // steps of the run
  int64_t every = 0;            // evaluation.every
  int64_t step = 0;             // committed
  bool finished = false;        // the last checkpoint is recorded
  std::set<int64_t> complete;   // steps of the evaluations that are done
  std::set<int64_t> available;  // steps of the checkpoints that are there
};

// The evaluation to make now: of the base weights first, because all gains are differences to it; of the last
// step's once the run has finished; of the newest multiple of `every` otherwise, when its checkpoint is there
// and it was not evaluated. nullopt: none now. Older ones that were missed stay out. Pure.
std::optional<int64_t> NextEvaluation(const EvaluationFacts& facts);

// Whether all is evaluated that a finished run is evaluated for.
bool EvaluationIsDone(const EvaluationFacts& facts);

}  // namespace lvrpo
