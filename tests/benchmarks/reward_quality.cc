// How well each reward component tells a right caption from a wrong one, by kind of error, in the world of
// coloured shapes. A pair is one image, rendered of composition A, scored twice: with the record of A (right)
// and with the record of B (wrong), which differs from A in one thing. Both records come from the generator
// of the prompt files, so wording, key phrases, constraints and questions of the wrong caption belong
// together.
//
// AUC: the probability that a right pair scores higher than a wrong one, ties count half. Its standard error
// is a bootstrap's over images. A component whose part of the record an error does not touch has .5.

#include <algorithm>
#include <cstdio>
#include <functional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "common/flags/role_flags.h"
#include "common/random.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "model/siglip.h"
#include "reward_server/load_scorers.h"
#include "shapes_world/composition.h"
#include "tests/benchmarks/timing.h"

namespace lvrpo {
namespace {

using shapes::Composition;

constexpr char kProgram[] = "lvrpo-bench-reward-quality";

struct Flags {
  std::string config = "configs/shapes.yaml";
  std::vector<std::string> also;
  int images = 200, resamples = 1000, threads = 1;  // one image at a time: nothing to share out
  uint64_t seed = 1;
  bool held_out = false;
};

// An error a caption can have: which compositions can have it, and one with it made of one without. Each
// change makes the caption false of every scene of the composition it came from.
struct ErrorKind {
  const char* name;
  const char* how;
  std::vector<Composition::Kind> of;
  std::function<void(Composition&, Random&)> change;
};

// One of 0 .. count - 1 that differs from the others.
int Another(int count, int not_this, int nor_this, Random& random) {
  int value = 0;
  do {
    value = random.Below(count);
  } while (value == not_this || value == nor_this);
  return value;
}

const std::vector<ErrorKind>& ErrorKinds() {
  static const auto* kinds = new std::vector<ErrorKind>{
      {"color",
       "one object's colour becomes one that no object of the caption has",
       {Composition::kColors, Composition::kAttribution},
       [](Composition& c, Random& random) {
         const int other = Another(shapes::kColorCount, c.color_a, c.color_b, random);
         (c.shape_b >= 0 && random.Chance(0.5) ? c.color_b : c.color_a) = other;
       }},
      {"shape",
       "one object's shape becomes one that no object of the caption has",
       {Composition::kSingle, Composition::kTwo, Composition::kColors, Composition::kAttribution},
       [](Composition& c, Random& random) {
         const int other = Another(shapes::kShapeCount, c.shape_a, c.shape_b, random);
         (c.shape_b >= 0 && random.Chance(0.5) ? c.shape_b : c.shape_a) = other;
       }},
      {"count",
       "another number from two to four",
       {Composition::kCounting},
       [](Composition& c, Random& random) {
         c.count = 2 + Another(shapes::kCells - 1, c.count - 2, -1, random);
       }},
      {"position",
       "the two objects change places: a left of b becomes b left of a",
       {Composition::kPosition},
       [](Composition& c, Random&) { std::swap(c.shape_a, c.shape_b); }},
      {"binding",
       "the two objects exchange their colours",
       {Composition::kAttribution},
       [](Composition& c, Random&) { std::swap(c.color_a, c.color_b); }},
  };
  return *kinds;
}

// One image with a caption that is true of it and one that is not.
struct Pair {
  RgbImage image;
  v1::PromptRecord right, wrong;
};

Composition Draw(Composition::Kind kind, bool held_out, Random& random) {
  const std::vector<Composition>& all = shapes::AllCompositions(kind);
  while (true) {
    const Composition& drawn = all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
    if (!held_out || shapes::IsHeldOut(drawn)) return drawn;
  }
}

// Pair i is a function of (seed, kind, i).
Pair MakePair(const ErrorKind& kind, uint64_t seed, uint64_t index, bool held_out) {
  Random random(StreamSeed(StreamSeed(seed, static_cast<uint64_t>(&kind - ErrorKinds().data())), index));
  const Composition right = Draw(kind.of[index % kind.of.size()], held_out, random);
  Composition wrong = right;
  kind.change(wrong, random);
  Pair pair;
  pair.image = shapes::Render(shapes::MakeScene(right, random));
  // The same stream for both records: the wrong caption is worded as the right one is.
  const uint64_t wording = random.Next();
  Random for_right(wording), for_wrong(wording);
  const std::string id = absl::StrCat(kind.name, "-", index);
  pair.right = shapes::MakeRecord(right, id, for_right);
  pair.wrong = shapes::MakeRecord(wrong, id, for_wrong);
  return pair;
}

// A way to score an image by a record.
struct Component {
  std::string name;
  std::function<absl::StatusOr<double>(const RgbImage& image, const v1::PromptRecord& record)> score;
};

absl::StatusOr<double> ScoreOf(ScorerSet& scorers, const RgbImage& image, const v1::PromptRecord& record) {
  ScoringGroup batch;
  batch.prompt = record;
  batch.images = {image};
  const v1::ScoreResponse response = scorers.Score(batch);
  const v1::ItemScore& item = response.items(0);
  if (item.complete()) return item.reward();
  return absl::InternalError(absl::StrCat("no score for ", record.id(), ": ", item.ShortDebugString()));
}

// The scorers of a run by its settings, changed as `settings` say. With one weight that is not 0 the reward
// is that component's score.
absl::StatusOr<Component> FromSettings(const std::string& name, const std::string& config,
                                       const std::vector<std::string>& settings) {
  std::vector<std::string> all = settings;
  all.push_back("reward.guards=[]");  // they cost time and score nothing
  const absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(config, all);
  if (!loaded.ok()) return loaded.status();
  static auto* metrics = new Metrics;
  absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(loaded->config, *metrics);
  if (!scorers.ok()) return scorers.status();
  const std::shared_ptr<ScorerSet> kept = *std::move(scorers);
  return Component{name, [kept](const RgbImage& image, const v1::PromptRecord& record) {
                     return ScoreOf(*kept, image, record);
                   }};
}

// Cosine of the whole image's embedding and the whole caption's.
absl::StatusOr<Component> PooledCosine(const std::string& folder) {
  absl::StatusOr<Siglip> referee = Siglip::Load(folder);
  if (!referee.ok()) return referee.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      LoadTokenizer(folder, {.lowercase = true, .add_control_tokens = false});
  if (!tokenizer.ok()) return tokenizer.status();
  const auto model = std::make_shared<const Siglip>(*std::move(referee));
  const std::shared_ptr<Tokenizer> words = *std::move(tokenizer);
  return Component{
      "pooled cosine",
      [model, words](const RgbImage& image, const v1::PromptRecord& record) -> absl::StatusOr<double> {
        const torch::NoGradGuard no_grad;
        const absl::StatusOr<std::vector<int32_t>> ids =
            words->EncodeFixed(record.text(), static_cast<int32_t>(model->config().text_length));
        if (!ids.ok()) return ids.status();
        const torch::Tensor tokens =
            torch::tensor(std::vector<int64_t>(ids->begin(), ids->end()), torch::kInt64).unsqueeze(0);
        const torch::Tensor seen = UnitLength(model->Pool(model->VisionTokens(FromRgbImages({image}))));
        return (seen * UnitLength(model->Text(tokens))).sum().item<double>();
      }};
}

// Settings that leave one component: its weight 1, the others 0.
std::vector<std::string> Only(const std::string& component, std::vector<std::string> more = {}) {
  for (const char* name : {"grounding", "instruction", "knowledge"})
    more.push_back(absl::StrCat("reward.", name, "_weight=", component == name ? 1 : 0));
  return more;
}

absl::StatusOr<std::vector<Component>> LoadComponents(const Flags& flags) {
  const absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, {});
  if (!loaded.ok()) return loaded.status();
  std::vector<std::pair<std::string, std::vector<std::string>>> wanted = {
      {"grounding, count_aware", Only("grounding", {"reward.grounding_form=count_aware"})},
      {"grounding, max_patch", Only("grounding", {"reward.grounding_form=max_patch"})},
      {"instruction, product", Only("instruction", {"reward.instruction_form=product"})},
      {"instruction, mean", Only("instruction", {"reward.instruction_form=mean"})},
      {"knowledge", Only("knowledge")},
      {"R, all three as the settings weigh them", {}}};
  for (const std::string& more : flags.also)
    wanted.emplace_back(more, Only("grounding", absl::StrSplit(more, ' ', absl::SkipEmpty())));
  std::vector<Component> components;
  for (const auto& [name, settings] : wanted) {
    absl::StatusOr<Component> component = FromSettings(name, flags.config, settings);
    if (!component.ok()) return component.status();
    components.push_back(*std::move(component));
  }
  absl::StatusOr<Component> pooled = PooledCosine(loaded->config.model().referee());
  if (!pooled.ok()) return pooled.status();
  components.insert(components.begin() + 2, *std::move(pooled));
  return components;
}

// Scores of the pairs in order.
struct Scores {
  std::vector<double> right, wrong;
};

// Mann and Whitney's statistic, through ranks: O(n log n).
double Auc(const Scores& scores) {
  std::vector<double> wrong = scores.wrong;
  std::sort(wrong.begin(), wrong.end());
  double wins = 0;
  for (const double value : scores.right) {
    const auto [low, high] = std::equal_range(wrong.begin(), wrong.end(), value);
    wins += static_cast<double>(low - wrong.begin()) + 0.5 * static_cast<double>(high - low);
  }
  return wins / static_cast<double>(scores.right.size() * wrong.size());
}

// Standard error of the AUC, over images drawn with replacement, each with both of its scores.
double BootstrapError(const Scores& scores, int resamples, uint64_t seed) {
  Random random(seed);
  const auto count = static_cast<int>(scores.right.size());
  double sum = 0, squares = 0;
  for (int r = 0; r < resamples; ++r) {
    Scores drawn;
    for (int i = 0; i < count; ++i) {
      const auto from = static_cast<size_t>(random.Below(count));
      drawn.right.push_back(scores.right[from]);
      drawn.wrong.push_back(scores.wrong[from]);
    }
    const double auc = Auc(drawn);
    sum += auc;
    squares += auc * auc;
  }
  const double mean = sum / resamples;
  return std::sqrt(std::max(0.0, squares / resamples - mean * mean));
}

// Share of images whose right caption scores higher than their wrong one; equal scores, to float's rounding,
// count half.
double PairedShare(const Scores& scores) {
  constexpr double kEqual = 1e-6;
  double wins = 0;
  for (size_t i = 0; i < scores.right.size(); ++i) {
    const double difference = scores.right[i] - scores.wrong[i];
    wins += difference > kEqual ? 1 : difference < -kEqual ? 0 : 0.5;
  }
  return wins / static_cast<double>(scores.right.size());
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

absl::StatusOr<Scores> ScoreAll(const Component& component, const std::vector<Pair>& pairs) {
  Scores scores;
  for (const Pair& pair : pairs) {
    const absl::StatusOr<double> right = component.score(pair.image, pair.right);
    if (!right.ok()) return right.status();
    const absl::StatusOr<double> wrong = component.score(pair.image, pair.wrong);
    if (!wrong.ok()) return wrong.status();
    scores.right.push_back(*right);
    scores.wrong.push_back(*wrong);
  }
  return scores;
}

// A cell of the tables.
struct Cell {
  double auc, error, paired;
};

absl::StatusOr<Cell> Judge(const Component& component, const ErrorKind& kind, const std::vector<Pair>& pairs,
                           const Flags& flags) {
  const absl::StatusOr<Scores> scores = ScoreAll(component, pairs);
  if (!scores.ok()) return scores.status();
  const Cell cell = {Auc(*scores), BootstrapError(*scores, flags.resamples, flags.seed),
                     PairedShare(*scores)};
  const nlohmann::json line = {{"component", component.name},
                               {"error", kind.name},
                               {"images", flags.images},
                               {"seed", flags.seed},
                               {"held_out", flags.held_out},
                               {"auc", Rounded(cell.auc, 1e-4)},
                               {"standard_error", Rounded(cell.error, 1e-4)},
                               {"paired", Rounded(cell.paired, 1e-4)},
                               {"mean_right", Rounded(Mean(scores->right), 1e-4)},
                               {"mean_wrong", Rounded(Mean(scores->wrong), 1e-4)}};
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
  return cell;
}

void PrintTable(const std::string& what,
                const std::vector<std::pair<std::string, std::vector<std::string>>>& rows) {
  std::printf("\n| %s |", what.c_str());
  for (const ErrorKind& kind : ErrorKinds()) std::printf(" %s |", kind.name);
  std::printf("\n|---|");
  for (size_t i = 0; i < ErrorKinds().size(); ++i) std::printf("---|");
  std::printf("\n");
  for (const auto& [name, cells] : rows)
    std::printf("| %s | %s |\n", name.c_str(), absl::StrJoin(cells, " | ").c_str());
}

void PrintLegend(const Flags& flags, const std::vector<std::vector<Pair>>& pairs) {
  std::printf("%d images an error, seed %llu, %s\n", flags.images,
              static_cast<unsigned long long>(flags.seed),
              flags.held_out ? "right captions held out from all training" : "captions of all compositions");
  for (size_t k = 0; k < pairs.size(); ++k) {
    std::printf("  %s: %s; \"%s\" -> \"%s\"\n", ErrorKinds()[k].name, ErrorKinds()[k].how,
                pairs[k].back().right.text().c_str(), pairs[k].back().wrong.text().c_str());
  }
}

absl::Status Run(const Flags& flags) {
  torch::set_num_threads(flags.threads);
  const absl::StatusOr<std::vector<Component>> components = LoadComponents(flags);
  if (!components.ok()) return components.status();
  std::vector<std::vector<Pair>> pairs;
  for (const ErrorKind& kind : ErrorKinds()) {
    pairs.emplace_back();
    for (int i = 0; i < flags.images; ++i)
      pairs.back().push_back(MakePair(kind, flags.seed, static_cast<uint64_t>(i), flags.held_out));
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> aucs, shares;
  for (const Component& component : *components) {
    aucs.push_back({component.name, {}});
    shares.push_back({component.name, {}});
    for (size_t k = 0; k < pairs.size(); ++k) {
      const absl::StatusOr<Cell> cell = Judge(component, ErrorKinds()[k], pairs[k], flags);
      if (!cell.ok()) return cell.status();
      aucs.back().second.push_back(absl::StrFormat("%.3f +- %.3f", cell->auc, cell->error));
      shares.back().second.push_back(absl::StrFormat("%.3f", cell->paired));
    }
  }
  PrintLegend(flags, pairs);
  PrintTable("AUC of right against wrong, +- standard error", aucs);
  PrintTable("share of images whose right caption scores higher", shares);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "How well each reward component tells right captions from wrong ones, by kind of error. Run from the "
      "repository's root.");
  Flags flags;
  app.add_option("--config", flags.config, "settings of a run of coloured shapes")->capture_default_str();
  app.add_option("--also", flags.also,
                 "another form of grounding, as settings: \"reward.grounding_form=top_k_mean "
                 "reward.grounding_top_k=3\"; may be repeated");
  app.add_option("--images", flags.images, "of each kind of error")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--resamples", flags.resamples, "of the bootstrap")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", flags.seed)->capture_default_str();
  app.add_flag("--held-out", flags.held_out, "right captions that no model was trained on");
  app.add_option("--threads", flags.threads)->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain(kProgram, Run(flags));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
