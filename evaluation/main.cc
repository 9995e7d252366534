#include <cstdio>
#include <optional>

#include "CLI/CLI.hpp"
#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/stopwatch.h"
#include "evaluation/evaluator.h"
#include "evaluation/sample_writer.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-evaluate";

struct Options {
  std::string weights, out;
  int prompts_per_kind = 0, samples_per_kind = 6, threads = 1;
};

absl::Status Evaluate(const v1::RunConfig& config, const Options& options) {
  KeepFreedMemory();
  torch::set_num_threads(options.threads);
  const Stopwatch watch;
  absl::StatusOr<EvaluatedPolicy> policy = LoadEvaluatedPolicy(config, options.weights);
  if (!policy.ok()) return policy.status();
  if (absl::Status status = MakeFolder(options.out); !status.ok()) return status;
  nlohmann::json scores = {{"images", 0}};
  std::string lines;
  SampleWriter samples(options.out, options.samples_per_kind);
  // Reads both files before evaluating any, so that a bad record is reported at once.
  std::vector<HeldOutPrompt> prompts, questions;
  const std::string &image_file = config.data().heldout_image_prompts(),
                    &text_file = config.data().heldout_text_prompts();
  for (const auto& [file, task, into] : {std::tuple{&image_file, v1::TASK_KIND_IMAGE, &prompts},
                                         {&text_file, v1::TASK_KIND_TEXT, &questions}}) {
    if (file->empty()) continue;
    absl::StatusOr<std::vector<HeldOutPrompt>> read =
        ReadHeldOut(config, *policy, task, *file, options.prompts_per_kind);
    if (!read.ok()) return read.status();
    *into = *std::move(read);
  }
  if (!image_file.empty()) {
    absl::StatusOr<std::vector<EvaluatedImage>> images =
        EvaluateImages(config, *policy, prompts, [&](size_t done) {
          std::fprintf(stderr, "%s: %zu of %zu images\n", kProgram, done, prompts.size());
        });
    if (!images.ok()) return images.status();
    std::vector<ImageJudgement> judgements;
    for (const EvaluatedImage& image : *images) {
      judgements.push_back(image.judgement);
      lines += JsonText(ImageLine(image.judgement)) + "\n";
      if (absl::Status status = samples.Add(image.judgement, image.image); !status.ok()) return status;
    }
    scores = SummarizeImages(judgements);
  }
  if (!text_file.empty()) {
    absl::StatusOr<std::vector<AnswerJudgement>> answers =
        EvaluateAnswers(config, *policy, text_file, questions);
    if (!answers.ok()) return answers.status();
    for (const AnswerJudgement& answer : *answers) {
      const nlohmann::json line = {{"task", "text"},
                                   {"id", answer.id},
                                   {"kind", answer.kind},
                                   {"correct", answer.correct},
                                   {"probability", answer.probability}};
      lines += JsonText(line) + "\n";
    }
    scores["text"] = SummarizeAnswers(*answers);
  }
  scores["weights_digest"] = policy->weights_digest;
  scores["seconds"] = watch.Seconds();
  for (const auto& [name, text] :
       std::map<std::string, std::string>{{"samples.json", JsonText(samples.samples(), 1) + "\n"},
                                          {"all.jsonl", lines},
                                          {"scores.json", JsonText(scores, 2) + "\n"}}) {
    if (absl::Status status = WriteFileAtomic(JoinPath(options.out, name), text); !status.ok()) return status;
  }
  std::printf("%s\n", JsonText(scores).c_str());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Evaluates a policy on the held-out prompts: one image per prompt by ODE sampling from fixed noise, "
      "judged by the "
      "independent checker, and greedy answers to the held-out questions. Writes scores.json, samples.json, "
      "all.jsonl "
      "and the images of the first prompts of each kind.");
  RoleFlags flags;
  Options options;
  flags.AddTo(app, "");
  app.add_option("--weights", options.weights,
                 "policy.safetensors of a checkpoint; without it the base policy");
  app.add_option("--out", options.out, "folder for the results")->required();
  app.add_option("--prompts-per-kind", options.prompts_per_kind,
                 "prompts of each kind; 0 = as the configuration says")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--samples-per-kind", options.samples_per_kind, "images of each kind that are written")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  if (options.prompts_per_kind <= 0)
    options.prompts_per_kind = loaded->config.evaluation().prompts_per_kind();
  return Explain(kProgram, Evaluate(loaded->config, options));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
