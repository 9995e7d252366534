#pragma once

#include <array>
#include <string>
#include <vector>

#include "common/random.h"
#include "shapes_world/composition.h"
#include "shapes_world/scene.h"

namespace lvrpo::shapes {

struct QuestionAnswer {
  std::string kind;  // how_many, is_there, what_color, what_shape, where, which_cell
  std::string question;
  std::string answer;
};

// One scene with texts that are true of it. Neither `prompt` nor `full_caption` names a held-out composition;
// dense captions and questions describe whatever the scene shows.
struct TrainingPair {
  Scene scene;
  std::string kind;
  std::string prompt;         // worded as in the prompt files
  std::string full_caption;   // every object with its colour (and place, for position scenes)
  std::string dense_caption;  // raster order with cells: "top left a red circle , bottom left nothing ..."
  std::vector<QuestionAnswer> questions;  // a few, of random kinds
};

// Draws training pairs: kind by weight, then a composition that is not held out, then a matching scene. Pair
// i is a function of (seed, i) alone.
class TrainingPairs {
 public:
  TrainingPairs(uint64_t seed, std::array<double, kKindCount> kind_weights)
      : seed_(seed), weights_(kind_weights) {}
  TrainingPair Get(uint64_t index) const;

 private:
  const uint64_t seed_;
  const std::array<double, kKindCount> weights_;
};

// A scene of 1 to 4 random objects, for referees and autoencoders.
Scene RandomScene(Random& random);

std::string DenseCaption(const Scene& scene);

// One question of a random kind that has a definite answer.
QuestionAnswer AskAbout(const Scene& scene, Random& random);

}  // namespace lvrpo::shapes
