#include "evaluation/evaluate_into.h"

#include <cstdio>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/stopwatch.h"
#include "evaluation/evaluator.h"
#include "evaluation/sample_writer.h"

namespace lvrpo {

absl::StatusOr<std::string> VersionDigestOf(const std::string& weights, bool compare) {
  if (weights.empty()) return std::string();
  const std::string path = JoinPath(ParentFolder(weights), "manifest.json");
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::string();
  if (!text.ok()) return text.status();
  const nlohmann::json manifest = nlohmann::json::parse(*text, nullptr, false);
  const std::string file = FileName(weights);
  std::string digest, of_file;
  try {
    digest = manifest.at("weights_digest").get<std::string>();
    of_file = manifest.at("files").at(file).get<std::string>();
  } catch (const nlohmann::json::exception&) {
    return absl::DataLossError(absl::StrCat(path, " does not say what ", file, " holds"));
  }
  if (!compare) return digest;
  const absl::StatusOr<std::string> is = FileSha256Hex(weights);
  if (!is.ok()) return is.status();
  if (*is != of_file)
    return absl::DataLossError(absl::StrCat(weights, " is not the file that ", path, " names"));
  return digest;
}

absl::StatusOr<nlohmann::json> EvaluateInto(const v1::RunConfig& config, const EvaluationOptions& options) {
  torch::set_num_threads(options.threads);
  const Stopwatch watch;
  absl::StatusOr<EvaluatedPolicy> policy = LoadEvaluatedPolicy(config, options.weights);
  if (!policy.ok()) return policy.status();
  const absl::StatusOr<std::string> version = VersionDigestOf(options.weights, /*compare=*/true);
  if (!version.ok()) return version.status();
  if (absl::Status status = MakeFolder(options.out); !status.ok()) return status;
  for (const char* old : {"scores.json", "rewards.json"}) {
    if (absl::Status status = RemoveFile(JoinPath(options.out, old)); !status.ok()) return status;
  }
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
          std::fprintf(stderr, "%s: %zu of %zu images\n", "lvrpo-evaluate", done, prompts.size());
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
  if (!version->empty()) scores["version_digest"] = *version;
  scores["seconds"] = watch.Seconds();
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"samples.json", JsonText(samples.samples(), 1) + "\n"},
           {"all.jsonl", lines},
           {"scores.json", JsonText(scores, 2) + "\n"}}) {
    if (absl::Status status = WriteFileAtomic(JoinPath(options.out, name), text); !status.ok()) return status;
  }
  return scores;
}

}  // namespace lvrpo
