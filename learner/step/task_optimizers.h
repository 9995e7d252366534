#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "algorithm/optimizer.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// One optimizer a task, stepped as one: each with its own settings and schedule, none when a gradient of any
// is not finite. A task without tensors is not trained. Not thread-safe.
class TaskOptimizers {
 public:
  // Adds values over processes that have other parts of the same parameters, in place.
  using Sum = std::function<void(std::span<double>)>;
  // The tensors are the master weights, shared with the caller and changed in place.
  TaskOptimizers(TensorMap image, TensorMap text, const v1::TrainConfig& train, Sum sum = nullptr);

  bool trains_images() const { return image_ != nullptr; }
  bool trains_texts() const { return text_ != nullptr; }
  void ClearGradients();
  bool GradientsAreFinite() const;  // with a Sum, over all processes: all call it
  // The gradients of this process that are not finite, as NameNonFinite().
  std::string NonFiniteGradients() const;
  // One update, or one left out because there are no finite gradients. Sets the figures of each task
  // ("image_gradient_norm", "image_learning_rate", and by PartOf() "image_gradient_norm_gen", ...), and
  // "nonfinite" to 1 when it was left out.
  void Step(std::map<std::string, double>& figures);
  void Skip(std::map<std::string, double>& figures);

  // "image/<name>" and "text/<name>", copies; Restore(State()) goes on bit for bit. Errors of
  // AdamW::Restore.
  TensorMap State() const;
  absl::Status Restore(const TensorMap& state);
  // State() without copying: shares the optimizers' memory, which steps change in place.
  TensorMap StateViews() const;
  // Names and shapes of the State() of optimizers of these tensors.
  static ShapeMap StateShapes(const TensorMap& image, const TensorMap& text);
  // Updates left out since the last one that was made.
  int64_t nonfinite_in_a_row() const;

 private:
  std::map<std::string, AdamW*> All() const;  // by task
  // A task's gradient: AdamW::GradientNorm, and the same by PartOf().
  struct Norm {
    double all = -1;
    std::map<std::string, double> by_part = {};
  };
  std::vector<Norm> Norms() const;  // in the order of All()
  void Take(bool skip, std::map<std::string, double>& figures);

  std::unique_ptr<AdamW> image_, text_;
  Sum sum_;
};

}  // namespace lvrpo
