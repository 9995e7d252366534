// lvrpo-score: what `lvrpo score` does.
#include <cstdio>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/line_reader.h"
#include "common/files/text_file.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/json/parse_json.h"
#include "data/image/image_file.h"
#include "data/image/png.h"
#include "reward_server/decode_request.h"
#include "reward_server/load_scorers.h"
#include "reward_server/scoring/score_job.h"
#include "reward_server/scoring/scoring.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo score";

struct ScoreFlags {
  RoleFlags common;
  std::string image, text, prompt, record, detections, batch, maps;
  bool json = false, batch_maps = false;
};

absl::StatusOr<v1::ItemScore> ScoreOne(ScorerSet& scorers, const ScoreJob& job,
                                       const DecodeOptions& options) {
  const absl::StatusOr<v1::ScoreRequest> request = RequestFor(job, options);
  if (!request.ok()) return request.status();
  const absl::StatusOr<ScoringGroup> group = DecodeRequest(*request);
  if (!group.ok()) return group.status();
  return scorers.Score(*group).items(0);
}

absl::Status WriteMaps(const std::string& folder, const std::string& image_path, const DecodeOptions& options,
                       const v1::ItemScore& score) {
  const absl::StatusOr<RgbImage> image = ReadImage(image_path, options);
  if (!image.ok()) return image.status();
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  for (int i = 0; i < score.maps_size(); ++i) {
    const std::string path = JoinPath(folder, absl::StrFormat("%04d.png", i));
    if (absl::Status status = WritePng(path, MapPicture(score.maps(i), *image)); !status.ok()) return status;
    std::fprintf(stderr, "%s: %s\n", path.c_str(), OneLine(score.maps(i).phrase()).c_str());
  }
  return absl::OkStatus();
}

// One image or text given by flags.
absl::Status Single(ScorerSet& scorers, const ScoreFlags& flags, const DecodeOptions& options) {
  nlohmann::json line;
  if (!flags.image.empty()) line["image"] = flags.image;
  if (!flags.text.empty()) line["text"] = flags.text;
  if (!flags.prompt.empty()) line["prompt"] = flags.prompt;
  for (const auto& [key, path] : {std::pair{"record", flags.record}, {"detections", flags.detections}}) {
    if (path.empty()) continue;
    const absl::StatusOr<std::string> text = ReadTextFile(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<nlohmann::json> json = ParseJson(*text);
    if (!json.ok()) return absl::InvalidArgumentError(absl::StrCat(path, " is ", json.status().message()));
    line[key] = *std::move(json);
  }
  absl::StatusOr<ScoreJob> job = ParseScoreJob(JsonText(line), "");
  if (!job.ok()) return job.status();
  job->image = flags.image;  // a path may not be UTF-8, so not JSON
  const absl::StatusOr<v1::ItemScore> score = ScoreOne(scorers, *job, options);
  if (!score.ok()) return score.status();
  std::fputs(flags.json ? (JsonText(ScoreJson(*score, true)) + "\n").c_str() : ScoreText(*score).c_str(),
             stdout);
  if (!flags.maps.empty()) {
    if (absl::Status status = WriteMaps(flags.maps, job->image, options, *score); !status.ok()) return status;
  }
  return score->complete() ? absl::OkStatus()
                           : absl::DataLossError("a component gave no score: see its outcome");
}

// One line of output per line of input, in order; a line that cannot be scored gives an error and affects no
// other.
absl::Status Batch(ScorerSet& scorers, const ScoreFlags& flags, const DecodeOptions& options) {
  const absl::StatusOr<std::unique_ptr<LineReader>> in = LineReader::Open(flags.batch);
  if (!in.ok()) return in.status();
  const std::string folder = ParentFolder(flags.batch);
  std::string line;
  int64_t number = 0, scored = 0, failed = 0;
  while (true) {
    const absl::StatusOr<bool> more = (*in)->Next(&line);
    if (!more.ok()) return more.status();
    if (!*more) break;
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const absl::StatusOr<ScoreJob> job = ParseScoreJob(line, folder);
    const absl::StatusOr<v1::ItemScore> score = job.ok() ? ScoreOne(scorers, *job, options) : job.status();
    nlohmann::json answer = score.ok() ? ScoreJson(*score, flags.batch_maps)
                                       : nlohmann::json{{"error", score.status().message()}};
    answer["line"] = number;
    std::printf("%s\n", JsonText(answer).c_str());
    ++(score.ok() && score->complete() ? scored : failed);
    if ((scored + failed) % 100 == 0)
      std::fprintf(stderr, "scored %ld, failed %ld\n", static_cast<long>(scored), static_cast<long>(failed));
  }
  std::fprintf(stderr, "scored %ld, failed %ld\n", static_cast<long>(scored), static_cast<long>(failed));
  if (failed == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(failed, " of ", scored + failed, " lines have no reward"));
}

int Main(int argc, char** argv) {
  CLI::App app("Scores an image, or an answer, with the reward components of a run's configuration.",
               "lvrpo score");
  ScoreFlags flags;
  flags.common.AddTo(app, "t");
  // `lvrpo` passes the name of the command too.
  std::vector<char*> arguments(argv, argv + argc);
  if (arguments.size() > 1 && std::string(arguments[1]) == "score") arguments.erase(arguments.begin() + 1);
  app.add_option("--image", flags.image,
                 "PNG, JPEG, WebP or GIF; upright unless data.exif_orientation is off");
  app.add_option("--text", flags.text, "an answer, instead of an image");
  app.add_option("--prompt", flags.prompt, "what was asked for, in words: grounding by its key phrases");
  app.add_option(
      "--record", flags.record,
      "file with one prompt record as JSON, instead of --prompt: with constraints, rules, questions");
  app.add_option("--detections", flags.detections,
                 "file with the objects found in the image, as JSON, instead of the detector's");
  app.add_option("--batch", flags.batch,
                 "JSONL, a line {\"image\" or \"text\", \"prompt\" or \"record\", perhaps \"detections\"}; "
                 "paths relative to it; answers with a JSON line each, in order")
      ->excludes("--image")
      ->excludes("--text")
      ->excludes("--prompt")
      ->excludes("--record")
      ->excludes("--detections");
  app.add_option("--maps", flags.maps,
                 "folder for a picture of each phrase's grounding map next to the image");
  app.add_flag("--json", flags.json, "the answer as JSON, maps included");
  app.add_flag("--batch-maps", flags.batch_maps, "the answers of --batch with their maps");
  app.footer(
      "\nExit codes: 0 everything was scored, 2 usage, 64 bad configuration, 65 something was not scored.");
  if (const std::optional<int> code = ParseFlags(app, static_cast<int>(arguments.size()), arguments.data()))
    return *code;
  if (flags.batch.empty() &&
      (flags.image.empty() == flags.text.empty() || flags.prompt.empty() == flags.record.empty())) {
    std::fprintf(stderr, "%s: give --image or --text, and --prompt or --record; or --batch\n", kProgram);
    return kExitUsage;
  }
  const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags.common);
  if (!loaded.ok()) return kExitConfig;
  KeepFreedMemory();
  torch::set_num_threads(flags.common.threads > 0 ? flags.common.threads
                                                  : loaded->config.local().threads_reward());
  Metrics metrics;
  const absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(loaded->config, metrics);
  if (!scorers.ok()) return Explain(kProgram, scorers.status());
  const DecodeOptions options{.upright = loaded->config.data().exif_orientation()};
  return Explain(kProgram,
                 flags.batch.empty() ? Single(**scorers, flags, options) : Batch(**scorers, flags, options));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
