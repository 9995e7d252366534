#include "pretraining/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/stopwatch.h"
#include "data/safetensors/safetensors.h"

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

// "batch: 24 there, 32 now; seed: 1 there, 2 now": the settings that differ, the first few of them; empty:
// none do.
std::string Differences(const std::map<std::string, std::string>& there,
                        const std::map<std::string, std::string>& now) {
  const auto value = [](const std::map<std::string, std::string>& settings, const std::string& name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string("nothing") : found->second;
  };
  std::map<std::string, std::string> all = there;
  all.insert(now.begin(), now.end());
  std::vector<std::string> differences;
  for (const auto& [name, unused] : all) {
    const std::string was = value(there, name), is = value(now, name);
    if (was != is) differences.push_back(absl::StrCat(name, ": ", was, " there, ", is, " now"));
  }
  constexpr size_t kNamed = 5;
  const size_t more = differences.size() - std::min(differences.size(), kNamed);
  differences.resize(differences.size() - more);
  return absl::StrCat(absl::StrJoin(differences, "; "), more > 0 ? absl::StrCat("; ", more, " more") : "");
}

}  // namespace

absl::StatusOr<Trainer> Trainer::Create(std::string name, TensorMap trainable, TrainerOptions options) {
  Trainer trainer(std::move(name), std::move(trainable), std::move(options));
  const std::string& checkpoint = trainer.options_.checkpoint;
  if (checkpoint.empty()) {
    if (trainer.options_.resume)
      return absl::InvalidArgumentError("there is nothing to resume from: set train.checkpoint");
    return trainer;
  }
  // Fail now rather than at the first checkpoint.
  const std::string folder = ParentFolder(checkpoint);
  if (!folder.empty()) {
    if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  }
  if (trainer.options_.resume && Exists(checkpoint)) {
    if (absl::Status status = trainer.Restore(); !status.ok()) return status;
    std::printf("%s: resuming at iteration %ld\n", trainer.name_.c_str(),
                static_cast<long>(trainer.iteration_));
  }
  return trainer;
}

Trainer::Trainer(std::string name, TensorMap trainable, TrainerOptions options)
    : name_(std::move(name)),
      options_(std::move(options)),
      optimizer_(std::move(trainable), options_.optimizer) {
  if (options_.ema_decay > 0) ema_ = CloneTensors(optimizer_.parameters());
}

absl::Status Trainer::Save() const {
  TensorMap all = WithPrefix("weight/", optimizer_.parameters());
  all.merge(WithPrefix("optimizer/", optimizer_.State()));
  all.merge(WithPrefix("ema/", ema_));
  all["iteration"] = torch::tensor({iteration_}, torch::kInt64);
  return SaveTensors(options_.checkpoint, all, std::nullopt, options_.settings);
}

absl::Status Trainer::Restore() {
  const auto file = SafetensorsFile::Open(options_.checkpoint);
  if (!file.ok()) return file.status();
  auto all = LoadTensors(options_.checkpoint);
  if (!all.ok()) return all.status();
  const auto iteration = all->find("iteration");
  if (iteration == all->end() || iteration->second.numel() != 1) {
    return absl::DataLossError(absl::StrCat(options_.checkpoint, " is not a pre-training checkpoint"));
  }
  const std::string differences = Differences((*file)->metadata(), options_.settings);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.checkpoint, " was made with other settings (", differences,
                     "): resume with the same, or start again without --resume"));
  }
  for (const auto& [prefix, into] :
       {std::pair<std::string, const TensorMap*>{"weight/", &optimizer_.parameters()}, {"ema/", &ema_}}) {
    absl::Status status = CopyInto(TakePrefix(prefix, *all), *into, options_.checkpoint);
    if (!status.ok()) return status;
  }
  if (absl::Status status = optimizer_.Restore(TakePrefix("optimizer/", *all)); !status.ok()) return status;
  iteration_ = iteration->second.item<int64_t>();
  return absl::OkStatus();
}

absl::Status Trainer::Run(const LossFunction& loss, const ReportFunction& after_report) {
  const int64_t first = iteration_;
  const Stopwatch watch;
  double sum = 0;
  int64_t summed = 0;
  int nonfinite = 0;
  while (iteration_ < options_.steps) {
    const int64_t i = iteration_++;
    std::string line;
    torch::Tensor value = loss(i, &line);
    value.backward();
    const OptimizerStep step = optimizer_.Step();
    const double number = value.item<double>();
    if (!step.finite || !std::isfinite(number)) {
      if (++nonfinite >= kMaxNonfinite) {
        return absl::OutOfRangeError(
            absl::StrCat(name_, " diverged: the loss or its gradient was not finite ", kMaxNonfinite,
                         " times in a row at iteration ", i + 1, "; try a lower train.learning_rate"));
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
      const double rate = static_cast<double>(i + 1 - first) / watch.Seconds();
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
      if (absl::Status status = Save(); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
