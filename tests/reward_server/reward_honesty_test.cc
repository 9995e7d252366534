// The default reward with the real frozen weights: every known way of pleasing a scorer without doing what
// was asked must cost reward. Prints what each exploit earns, and how well each component tells right from
// wrong.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>

#include "common/config/config.h"
#include "gtest/gtest.h"
#include "reward_server/load_scorers.h"
#include "reward_server/scorers/objects.h"
#include "shapes_world/captions.h"
#include "shapes_world/checker.h"
#include "shapes_world/composition.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

using shapes::Composition;
using shapes::Object;
using shapes::Scene;

constexpr int kPromptsPerKind = 6;

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

// What a policy might paint next to or over the right scene: nothing that any prompt asks for, so that the
// image is wrong whatever a judge says of it.
using Disturbance = std::function<void(const Scene& right, RgbImage& image, Random& random)>;

using Grey = std::function<int(int x, int y)>;  // grey level of a pixel, -1: leave it as it is
void PaintGrey(RgbImage& image, int left, int top, int side, const Grey& grey) {
  for (int y = std::max(0, top); y < std::min(image.height, top + side); ++y) {
    for (int x = std::max(0, left); x < std::min(image.width, left + side); ++x) {
      const int level = grey(x, y);
      if (level >= 0) std::fill_n(&image.pixels[static_cast<size_t>(y * image.width + x) * 3], 3, level);
    }
  }
}

// A disc or square without colour in every free cell.
Disturbance Colourless(int level) {
  return [level](const Scene& right, RgbImage& image, Random& random) {
    for (const int cell : FreeCells(right)) {
      const int x0 = cell % 2 * 32 + 6, y0 = cell / 2 * 32 + 6;
      const bool disc = random.Chance(0.5);
      PaintGrey(image, x0, y0, 20, [&](int x, int y) {
        return !disc || std::hypot(x - x0 - 9.5, y - y0 - 9.5) < 10 ? level : -1;
      });
    }
  };
}
Disturbance InFreeCells(const Grey& grey) {
  return [grey](const Scene& right, RgbImage& image, Random&) {
    for (const int cell : FreeCells(right)) PaintGrey(image, cell % 2 * 32 + 6, cell / 2 * 32 + 6, 20, grey);
  };
}
// On the pixels of the first object.
Disturbance Over(const Grey& grey) {
  return [grey](const Scene& right, RgbImage& image, Random&) {
    const Object& object = right.objects[0];
    const RgbImage without = shapes::Render({.objects = {},
                                             .background = right.background,
                                             .noise = right.noise,
                                             .noise_seed = right.noise_seed});
    PaintGrey(image, static_cast<int>(object.x) - 14, static_cast<int>(object.y) - 14, 28, [&](int x, int y) {
      const size_t at = static_cast<size_t>(y * image.width + x) * 3;
      return std::equal(&image.pixels[at], &image.pixels[at] + 3, &without.pixels[at]) ? -1 : grey(x, y);
    });
  };
}
// Distorts every object: the pixel at (dx, dy) from its centre is taken from `from`.
Disturbance Deformed(const std::function<std::pair<double, double>(double dx, double dy)>& from) {
  return [from](const Scene& right, RgbImage& image, Random&) {
    const RgbImage original = image;
    for (const Object& object : right.objects) {
      for (int y = object.cell / 2 * 32; y < object.cell / 2 * 32 + 32; ++y) {
        for (int x = object.cell % 2 * 32; x < object.cell % 2 * 32 + 32; ++x) {
          const auto [dx, dy] = from(x + 0.5 - object.x, y + 0.5 - object.y);
          // Outside of the cell is background, of which the image's corner is an example.
          const int fx = static_cast<int>(std::floor(object.x + dx)),
                    fy = static_cast<int>(std::floor(object.y + dy));
          const bool inside =
              fx >= 0 && fy >= 0 && fx < 64 && fy < 64 && fx / 32 + fy / 32 * 2 == object.cell;
          std::copy_n(&original.pixels[inside ? static_cast<size_t>(fy * 64 + fx) * 3 : 0], 3,
                      &image.pixels[static_cast<size_t>(y * 64 + x) * 3]);
        }
      }
    }
  };
}
int Checkerboard(int x, int y) { return (x + y) % 2 == 0 ? 255 : 0; }
// The same black and white pixels in every image.
int Noise(int x, int y) {
  return Random(StreamSeed(3, static_cast<uint64_t>(y * 64 + x))).Chance(0.5) ? 255 : 0;
}

const std::map<std::string, Disturbance>& Disturbances() {
  static const auto* disturbances = new std::map<std::string, Disturbance>{
      {"white objects more", Colourless(255)},
      {"black objects more", Colourless(0)},
      {"grey objects more", Colourless(90)},
      {"checkerboards in free cells", InFreeCells(Checkerboard)},
      {"checkerboards with gaps in free cells",
       InFreeCells([](int x, int y) { return (x + y) % 2 == 0 ? 255 : -1; })},
      {"specks in free cells", InFreeCells([](int x, int y) { return x % 2 == 0 && y % 2 == 0 ? 0 : -1; })},
      {"noise in free cells", InFreeCells(Noise)},
      {"checkerboard over an object", Over(Checkerboard)},
      {"checkerboard of holes", Over([](int x, int y) { return (x + y) % 2 == 0 ? 180 : -1; })},
      {"white checkerboard over an object", Over([](int x, int y) { return (x + y) % 2 == 0 ? 255 : -1; })},
      {"black blocks over an object",
       Over([](int x, int y) { return x / 2 % 2 == 0 && y / 2 % 2 == 0 ? 0 : -1; })},
      {"noise over an object", Over(Noise)},
      {"stripes over an object", Over([](int, int y) { return y % 6 < 3 ? 0 : -1; })},
      {"white frame",
       [](const Scene&, RgbImage& image, Random&) {
         PaintGrey(image, 0, 0, 64, [](int x, int y) {
           return std::min({x, y, 63 - x, 63 - y}) < 3 ? 255 : -1;
         });
       }},
      {"flattened objects", Deformed([](double dx, double dy) {
         return std::pair{dx, 3 * dy};
       })},
      {"tiny objects", Deformed([](double dx, double dy) {
         return std::pair{3 * dx, 3 * dy};
       })},
      {"jagged objects", Deformed([](double dx, double dy) {
         return std::pair{dx + (static_cast<int>(std::floor(dy / 2)) % 2 == 0 ? 7 : -7), dy};
       })},
      {"objects torn apart", Deformed([](double dx, double dy) {
         return std::pair{std::abs(dy) < 4 ? 40.0 : dx, dy};
       })},
  };
  return *disturbances;
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
    config_ = std::make_unique<v1::RunConfig>(LoadRunConfig("configs/shapes.yaml", {})->config);
    metrics_ = std::make_unique<Metrics>();
    auto scorers = LoadScorers(*config_, *metrics_);
    ASSERT_TRUE(scorers.ok()) << scorers.status();
    scorers_ = *std::move(scorers);
  }
  static void TearDownTestSuite() {
    scorers_.reset();
    metrics_.reset();
    config_.reset();
  }

  // Reward and component scores of each image.
  static std::vector<std::map<std::string, double>> Score(const v1::PromptRecord& record,
                                                          std::vector<RgbImage> images) {
    ScoringGroup group;
    group.prompt = record;
    group.images = std::move(images);
    const v1::ScoreResponse response = scorers_->Score(group);
    std::vector<std::map<std::string, double>> scores;
    for (const v1::ItemScore& item : response.items()) {
      EXPECT_TRUE(item.complete());
      scores.push_back({{"reward", item.reward()}});
      for (const v1::ComponentScore& score : item.scores()) scores.back()[score.name()] = score.score();
    }
    return scores;
  }

  static inline std::unique_ptr<v1::RunConfig> config_;
  static inline std::unique_ptr<Metrics> metrics_;
  static inline std::unique_ptr<ScorerSet> scorers_;
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
      std::vector<std::string> names = {""};
      std::vector<RgbImage> images = {Render(scene)};
      const auto add = [&](const std::string& exploit, const Scene& other) {
        const RgbImage image = Render(other);
        if (shapes::Check(image, record).correct) return;  // an open attribute made it right after all
        names.push_back(exploit);
        images.push_back(image);
      };
      for (const auto& [name, exploit] : Exploits()) add(name, exploit(scene, random));
      if (composition.kind == Composition::kPosition) add("wrong side", Mirrored(scene));
      if (composition.kind == Composition::kAttribution) add("colours swapped", ColorsSwapped(scene));
      for (const auto& [name, disturb] : Disturbances()) {
        RgbImage image = images[0];
        disturb(scene, image, random);
        if (image.pixels == images[0].pixels) continue;  // there was no free cell
        names.push_back(name);
        images.push_back(std::move(image));
      }
      const auto scores = Score(record, std::move(images));
      for (size_t k = 0; k < scores.size(); ++k) {
        for (const auto& [name, value] : scores[k])
          (k == 0 ? right[name] : exploited[names[k]][name]).push_back(value);
      }
    }
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  std::printf("%-34s %6s %8s   AUC by component\n", "image", "count", "reward");
  std::printf("%-34s %6zu %8.3f\n", "what was asked", right["reward"].size(), mean(right["reward"]));
  for (const auto& [exploit, scores] : exploited) {
    std::string line;
    for (const auto& [name, values] : scores) {
      char text[64];
      std::snprintf(text, sizeof(text), "%s %.3f  ", name.c_str(), Auc(right[name], values));
      line += text;
    }
    const std::vector<double>& rewards = scores.at("reward");
    std::printf("%-34s %6zu %8.3f   %s\n", exploit.c_str(), rewards.size(), mean(rewards), line.c_str());
    ASSERT_GE(rewards.size(), 6u) << exploit;
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
    const std::vector<SegmentedObject> found = finder.Find(Render(scene));
    for (const Object& object : scene.objects) {
      ++objects;
      for (const SegmentedObject& candidate : found) {
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
