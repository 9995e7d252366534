#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "algorithm/optimizer.h"
#include "model/weights.h"

namespace lvrpo {

struct TrainerOptions {
  int64_t steps = 1000;
  int64_t checkpoint_every = 500;  // iterations
  int64_t report_every = 50;
  std::string checkpoint;  // file; empty: none are written
  bool resume = false;     // go on from `checkpoint` if it is there
  double ema_decay = 0;    // > 0: keep an exponential moving average of the weights
  AdamWOptions optimizer;
};

// The loop that all pre-training shares: forward, backward, AdamW, progress line, checkpoints, exact resume.
// Everything random in iteration i must be a function of (seed, i), so that a resumed run equals an
// uninterrupted one bit for bit.
class Trainer {
 public:
  // Loss of iteration i, with gradient; `line` may be set to figures for the progress line.
  using LossFunction = std::function<torch::Tensor(int64_t iteration, std::string* line)>;
  using ReportFunction = std::function<void(int64_t iteration)>;

  // `trainable` are fp32 leaves used by the loss; `name` is for progress and checkpoints.
  Trainer(std::string name, TensorMap trainable, TrainerOptions options);

  // Aborted when the loss or a gradient is not finite three times in a row. `after_report` runs after each
  // progress line (for scores that cost time); may be empty.
  absl::Status Run(const LossFunction& loss, const ReportFunction& after_report = nullptr);

  // The moving average, or the weights themselves without one.
  const TensorMap& averaged() const { return ema_.empty() ? optimizer_.parameters() : ema_; }

 private:
  absl::Status Save(int64_t iteration) const;
  absl::StatusOr<int64_t> Restore();

  const std::string name_;
  const TrainerOptions options_;
  AdamW optimizer_;
  TensorMap ema_;
};

}  // namespace lvrpo
