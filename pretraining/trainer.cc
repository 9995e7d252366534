#include "pretraining/trainer.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"

namespace lvrpo {
namespace {

constexpr int kMaxNonfinite = 3;

TensorMap WithPrefix(const std::string& prefix, const TensorMap& tensors) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) renamed[prefix + name] = tensor;
  return renamed;
}

TensorMap TakePrefix(const std::string& prefix, const TensorMap& tensors) {
  TensorMap taken;
  for (const auto& [name, tensor] : tensors) {
    if (absl::StartsWith(name, prefix)) taken[name.substr(prefix.size())] = tensor;
  }
  return taken;
}

absl::Status CopyInto(const TensorMap& from, const TensorMap& into, const std::string& source) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : into) shapes[name] = tensor.sizes().vec();
  if (absl::Status status = CheckTensors(shapes, from, source); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : into) torch::Tensor(tensor).copy_(from.at(name));
  return absl::OkStatus();
}

}  // namespace

Trainer::Trainer(std::string name, TensorMap trainable, TrainerOptions options)
    : name_(std::move(name)),
      options_(std::move(options)),
      optimizer_(std::move(trainable), options_.optimizer) {
  if (options_.ema_decay > 0) ema_ = CloneTensors(optimizer_.parameters());
}

absl::Status Trainer::Save(int64_t iteration) const {
  TensorMap all = WithPrefix("weight/", optimizer_.parameters());
  all.merge(WithPrefix("optimizer/", optimizer_.State()));
  all.merge(WithPrefix("ema/", ema_));
  all["iteration"] = torch::tensor({iteration}, torch::kInt64);
  return SaveTensors(options_.checkpoint, all);
}

absl::StatusOr<int64_t> Trainer::Restore() {
  auto all = LoadTensors(options_.checkpoint);
  if (!all.ok()) return all.status();
  if (!all->contains("iteration")) {
    return absl::DataLossError(absl::StrCat(options_.checkpoint, " is not a pre-training checkpoint"));
  }
  for (const auto& [prefix, into] :
       {std::pair<std::string, const TensorMap*>{"weight/", &optimizer_.parameters()}, {"ema/", &ema_}}) {
    absl::Status status = CopyInto(TakePrefix(prefix, *all), *into, options_.checkpoint);
    if (!status.ok()) return status;
  }
  if (absl::Status status = optimizer_.Restore(TakePrefix("optimizer/", *all)); !status.ok()) return status;
  return all->at("iteration").item<int64_t>();
}

absl::Status Trainer::Run(const LossFunction& loss, const ReportFunction& after_report) {
  int64_t first = 0;
  if (options_.resume && std::filesystem::exists(options_.checkpoint)) {
    absl::StatusOr<int64_t> restored = Restore();
    if (!restored.ok()) return restored.status();
    first = *restored;
    std::printf("%s: resuming at iteration %ld\n", name_.c_str(), static_cast<long>(first));
  }
  const absl::Time started = RealClock().Now();
  double sum = 0;
  int64_t summed = 0;
  int nonfinite = 0;
  for (int64_t i = first; i < options_.steps; ++i) {
    std::string line;
    torch::Tensor value = loss(i, &line);
    value.backward();
    const OptimizerStep step = optimizer_.Step();
    const double number = value.item<double>();
    if (!step.finite || !std::isfinite(number)) {
      if (++nonfinite >= kMaxNonfinite) {
        return absl::AbortedError(absl::StrCat(name_, ": the loss or its gradient was not finite ",
                                               kMaxNonfinite, " times in a row at iteration ", i));
      }
      continue;
    }
    nonfinite = 0;
    sum += number;
    ++summed;
    if (!ema_.empty()) {
      torch::NoGradGuard no_grad;
      // A short memory at first, so that the random start is forgotten.
      const double decay =
          std::min(options_.ema_decay, (1.0 + static_cast<double>(i)) / (10.0 + static_cast<double>(i)));
      for (auto& [name, average] : ema_) average.lerp_(optimizer_.parameters().at(name), 1 - decay);
    }
    const bool last = i + 1 == options_.steps;
    if (last || (i + 1) % options_.report_every == 0) {
      const double seconds = absl::ToDoubleSeconds(RealClock().Now() - started);
      const double rate = static_cast<double>(i + 1 - first) / seconds;
      std::printf("%s %ld/%ld  loss %.4f  %s  |g| %.2f  lr %.1e  %.2f it/s  left %.0f s\n", name_.c_str(),
                  static_cast<long>(i + 1), static_cast<long>(options_.steps),
                  sum / static_cast<double>(summed), line.c_str(), step.gradient_norm, step.learning_rate,
                  rate, static_cast<double>(options_.steps - i - 1) / rate);
      std::fflush(stdout);
      sum = 0;
      summed = 0;
      if (after_report) after_report(i + 1);
    }
    if (!options_.checkpoint.empty() && (last || (i + 1) % options_.checkpoint_every == 0)) {
      if (absl::Status status = Save(i + 1); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
