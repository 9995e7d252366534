// The default reward with the real frozen weights: every known way of pleasing a scorer without doing what
// was asked must cost reward. Prints what each exploit earns, and how well each component tells right from
// wrong.

#include <cmath>
#include <cstdio>
#include <functional>
#include <map>

#include "common/config.h"
#include "gtest/gtest.h"
#include "reward_server/load_scorers.h"
#include "reward_server/objects.h"
#include "shapes_world/captions.h"
#include "shapes_world/checker.h"
#include "shapes_world/composition.h"

namespace lvrpo {
namespace {

using shapes::Composition;
using shapes::Object;
using shapes::Scene;

constexpr int kPromptsPerKind = 25;

std::vector<int> FreeCells(const Scene& scene) {
  std::vector<int> free;
  for (int cell = 0; cell < shapes::kCells; ++cell) {
    bool used = false;
    for (const Object& object : scene.objects) used |= object.cell == cell;
    if (!used) free.push_back(cell);
  }
  return free;
}

Scene FillCells(Scene scene, Random& random, const std::function<Object(int cell)>& object, int at_most = 4) {
  for (const int cell : FreeCells(scene)) {
    if (at_most-- > 0) scene.objects.push_back(object(cell));
  }
  return scene;
}

// What a policy might paint instead of the right scene.
using Exploit = std::function<Scene(const Scene& right, Random& random)>;
const std::map<std::string, Exploit>& Exploits() {
  static const auto* exploits = new std::map<std::string, Exploit>{
      {"one object too many",
       [](const Scene& right, Random& random) {
         return FillCells(
             right, random,
             [&](int cell) {
               return shapes::PlaceObject(random.Below(shapes::kShapeCount),
                                          random.Below(shapes::kColorCount), cell, random);
             },
             1);
       }},
      {"every cell filled",
       [](const Scene& right, Random& random) {
         return FillCells(right, random, [&](int cell) {
           return shapes::PlaceObject(random.Below(shapes::kShapeCount), random.Below(shapes::kColorCount),
                                      cell, random);
         });
       }},
      {"copies of what was asked",
       [](const Scene& right, Random& random) {
         return FillCells(right, random, [&](int cell) {
           return shapes::PlaceObject(right.objects[0].shape, right.objects[0].color, cell, random);
         });
       }},
      {"right colours, wrong shapes",
       [](const Scene& right, Random& random) {
         Scene scene = right;
         const int turn = 1 + random.Below(shapes::kShapeCount - 1);
         for (Object& object : scene.objects) object.shape = (object.shape + turn) % shapes::kShapeCount;
         return scene;
       }},
      {"one object missing",
       [](const Scene& right, Random& random) {
         Scene scene = right;
         scene.objects.pop_back();
         return scene;
       }},
      {"nothing at all",
       [](const Scene& right, Random& random) {
         Scene scene = right;
         scene.objects.clear();
         return scene;
       }},
      {"unrelated scene", [](const Scene&, Random& random) { return shapes::RandomScene(random); }},
  };
  return *exploits;
}

// Swaps places: what was left is right, what was above is below.
Scene Mirrored(const Scene& right) {
  Scene scene = right;
  for (Object& object : scene.objects) {
    object.x = 63 - object.x;
    object.y = 63 - object.y;
    object.cell = 3 - object.cell;
  }
  return scene;
}
Scene ColorsSwapped(const Scene& right) {
  Scene scene = right;
  if (scene.objects.size() == 2) std::swap(scene.objects[0].color, scene.objects[1].color);
  return scene;
}

double Auc(const std::vector<double>& right, const std::vector<double>& wrong) {
  double wins = 0;
  for (const double r : right) {
    for (const double w : wrong) wins += r > w ? 1 : (r == w ? 0.5 : 0);
  }
  return wins / static_cast<double>(right.size() * wrong.size());
}

class RewardHonesty : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);
    config_ = new v1::RunConfig(LoadRunConfig("configs/shapes.yaml", {})->config);
    auto scorers = LoadScorers(*config_);
    ASSERT_TRUE(scorers.ok()) << scorers.status();
    scorers_ = scorers->release();
  }

  // Reward and component scores of one image.
  static std::map<std::string, double> Score(const v1::PromptRecord& record, const RgbImage& image) {
    ScoringBatch batch;
    batch.prompt = record;
    batch.images = {image};
    const v1::ScoreResponse response = scorers_->Score(batch);
    std::map<std::string, double> scores = {{"reward", response.items(0).reward()}};
    EXPECT_TRUE(response.items(0).complete());
    for (const v1::ComponentScore& score : response.items(0).scores()) scores[score.name()] = score.score();
    return scores;
  }

  static inline v1::RunConfig* config_ = nullptr;
  static inline ScorerSet* scorers_ = nullptr;
};

TEST_F(RewardHonesty, EveryExploitCostsReward) {
  Random random(7);
  std::map<std::string, std::vector<double>> right;  // component -> scores
  std::map<std::string, std::map<std::string, std::vector<double>>>
      exploited;  // exploit -> component -> scores
  for (int kind = 0; kind < shapes::kKindCount; ++kind) {
    const auto& all = shapes::AllCompositions(static_cast<Composition::Kind>(kind));
    for (int i = 0; i < kPromptsPerKind; ++i) {
      const Composition composition = all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
      const v1::PromptRecord record = shapes::MakeRecord(composition, "p", random);
      const Scene scene = shapes::MakeScene(composition, random);
      for (const auto& [name, value] : Score(record, Render(scene))) right[name].push_back(value);
      const auto add = [&](const std::string& exploit, const Scene& other) {
        const RgbImage image = Render(other);
        if (shapes::Check(image, record).correct) return;  // an open attribute made it right after all
        for (const auto& [name, value] : Score(record, image)) exploited[exploit][name].push_back(value);
      };
      for (const auto& [name, exploit] : Exploits()) add(name, exploit(scene, random));
      if (composition.kind == Composition::kPosition) add("wrong side", Mirrored(scene));
      if (composition.kind == Composition::kAttribution) add("colours swapped", ColorsSwapped(scene));
    }
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  std::printf("%-28s %6s %8s   AUC by component\n", "image", "count", "reward");
  std::printf("%-28s %6zu %8.3f\n", "what was asked", right["reward"].size(), mean(right["reward"]));
  for (const auto& [exploit, scores] : exploited) {
    std::string line;
    for (const auto& [name, values] : scores) {
      char text[64];
      std::snprintf(text, sizeof(text), "%s %.3f  ", name.c_str(), Auc(right[name], values));
      line += text;
    }
    const std::vector<double>& rewards = scores.at("reward");
    std::printf("%-28s %6zu %8.3f   %s\n", exploit.c_str(), rewards.size(), mean(rewards), line.c_str());
    ASSERT_GE(rewards.size(), 15u) << exploit;
    EXPECT_LT(mean(rewards), mean(right["reward"]) - 0.3) << exploit;
    EXPECT_GT(Auc(right["reward"], rewards), 0.97) << exploit;
  }
  EXPECT_GT(mean(right["reward"]), 0.8);
}

// The finder that rewards use and the held-out checker are built differently; on clean images they must see
// the same.
TEST_F(RewardHonesty, TheFinderSeesWhatIsThere) {
  const ObjectFinder finder;
  Random random(11);
  int objects = 0, agreed = 0;
  for (int i = 0; i < 400; ++i) {
    const Scene scene = shapes::RandomScene(random);
    const std::vector<FoundObject> found = finder.Find(Render(scene));
    for (const Object& object : scene.objects) {
      ++objects;
      for (const FoundObject& candidate : found) {
        if (std::hypot(candidate.x - object.x, candidate.y - object.y) < 5 &&
            candidate.shape == shapes::kShapeNames[static_cast<size_t>(object.shape)] &&
            candidate.color == shapes::kColorNames[static_cast<size_t>(object.color)]) {
          ++agreed;
          break;
        }
      }
    }
    EXPECT_EQ(found.size(), scene.objects.size());
  }
  std::printf("finder: %d of %d objects right\n", agreed, objects);
  EXPECT_GE(agreed, objects * 99 / 100);
}

}  // namespace
}  // namespace lvrpo
