#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "algorithm/optimizer.h"
#include "model/weights/weights.h"

namespace lvrpo {

struct TrainerOptions {
  int64_t steps = 1000;
  int64_t checkpoint_every = 500;  // iterations
  int64_t report_every = 50;
  std::string checkpoint;  // file; empty: none are written
  bool resume = false;     // continue from `checkpoint` if it exists
  double ema_decay = 0;    // > 0: keep an exponential moving average of the weights
  AdamWOptions optimizer;
  // Name -> value of everything that decides the numbers. Stored in the checkpoint; a run with other values
  // does not resume from it.
  std::map<std::string, std::string> settings;
};

// The loop that all pre-training shares: forward, backward, AdamW, progress line, checkpoints, exact resume.
// Everything random in iteration i must be a function of (seed, i), so that a resumed run equals an
// uninterrupted one bit for bit.
class Trainer {
 public:
  // Loss of iteration i, with gradient; `line` may be set to figures for the progress line.
  using LossFunction = std::function<torch::Tensor(int64_t iteration, std::string* line)>;
  using ReportFunction = std::function<void(int64_t iteration)>;

  // `trainable` are fp32 leaves used by the loss; `name` is for progress and checkpoints. With `resume` the
  // checkpoint is read here: DataLoss when it is damaged, FailedPrecondition when it was made with other
  // settings.
  static absl::StatusOr<Trainer> Create(std::string name, TensorMap trainable, TrainerOptions options);

  // The iterations that are left. OutOfRange when the loss or a gradient is not finite three times in a row.
  // `after_report` runs after each progress line (for scores that cost time); may be empty.
  absl::Status Run(const LossFunction& loss, const ReportFunction& after_report = nullptr);

  // The moving average, or the weights themselves without one.
  const TensorMap& averaged() const { return ema_.empty() ? optimizer_.parameters() : ema_; }

 private:
  Trainer(std::string name, TensorMap trainable, TrainerOptions options);
  absl::Status Save() const;
  absl::Status Restore();

  std::string name_;
  TrainerOptions options_;
  int64_t iteration_ = 0;  // the next one
  AdamW optimizer_;
  TensorMap ema_;
};

}  // namespace lvrpo
