#include "shapes_world/captions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "shapes_world/words.h"

namespace lvrpo::shapes {
namespace {

const char* ShapeName(int shape) { return kShapeNames[static_cast<size_t>(shape)]; }
const char* ColorName(int color) { return kColorNames[static_cast<size_t>(color)]; }

int CountShape(const Scene& scene, int shape) {
  return static_cast<int>(std::count_if(scene.objects.begin(), scene.objects.end(),
                                        [&](const Object& o) { return o.shape == shape; }));
}

int CountColor(const Scene& scene, int color) {
  return static_cast<int>(std::count_if(scene.objects.begin(), scene.objects.end(),
                                        [&](const Object& o) { return o.color == color; }));
}

// The composition that a full caption of these objects would ask for, if it is one of the six kinds.
bool FullCaptionIsHeldOut(const Scene& scene) {
  if (scene.objects.size() == 1) {
    return IsHeldOut(
        {.kind = Composition::kColors, .shape_a = scene.objects[0].shape, .color_a = scene.objects[0].color});
  }
  if (scene.objects.size() != 2) return false;
  const Object* a = &scene.objects[0];
  const Object* b = &scene.objects[1];
  if (a->shape > b->shape) std::swap(a, b);
  if (a->shape == b->shape || a->color == b->color) return false;
  return IsHeldOut({.kind = Composition::kAttribution,
                    .shape_a = a->shape,
                    .color_a = a->color,
                    .shape_b = b->shape,
                    .color_b = b->color});
}

std::string FullCaption(const Composition& composition, const Scene& scene, Random& random) {
  std::vector<Object> objects = scene.objects;
  for (size_t i = objects.size(); i > 1; --i)
    std::swap(objects[i - 1], objects[static_cast<size_t>(random.Below(static_cast<int>(i)))]);
  if (composition.kind == Composition::kPosition) {
    const Object& a = objects[0];
    const Object& b = objects[1];
    const char* relation = composition.above ? (a.cell / 2 < b.cell / 2 ? " above " : " below ")
                                             : (a.cell % 2 < b.cell % 2 ? " left of " : " right of ");
    return absl::StrCat(Phrase(a.shape, a.color), relation, Phrase(b.shape, b.color));
  }
  std::vector<std::string> phrases;
  for (const Object& object : objects) phrases.push_back(Phrase(object.shape, object.color));
  return absl::StrJoin(phrases, " and ");
}

}  // namespace

Scene RandomScene(Random& random) {
  Scene scene = RandomBackground(random);
  int cells[kCells] = {0, 1, 2, 3};
  for (int i = kCells - 1; i > 0; --i) std::swap(cells[i], cells[random.Below(i + 1)]);
  const int count = 1 + random.Below(kCells);
  std::sort(cells, cells + count);
  for (int i = 0; i < count; ++i) {
    scene.objects.push_back(
        PlaceObject(random.Below(kShapeCount), random.Below(kColorCount), cells[i], random));
  }
  return scene;
}

std::string DenseCaption(const Scene& scene) {
  std::vector<std::string> parts;
  for (int cell = 0; cell < kCells; ++cell) {
    const auto object = std::find_if(scene.objects.begin(), scene.objects.end(),
                                     [cell](const Object& o) { return o.cell == cell; });
    parts.push_back(
        absl::StrCat(CellWords(cell), " ",
                     object == scene.objects.end() ? "nothing" : Phrase(object->shape, object->color)));
  }
  return absl::StrJoin(parts, " , ");
}

QuestionAnswer AskAbout(const Scene& scene, Random& random) {
  while (true) {
    const Object& object =
        scene.objects[static_cast<size_t>(random.Below(static_cast<int>(scene.objects.size())))];
    switch (random.Below(6)) {
      case 0: {
        if (random.Chance(0.4)) {
          return {"how_many", "how many objects are there ?",
                  NumberWord(static_cast<int>(scene.objects.size()))};
        }
        const int shape = random.Chance(0.75) ? object.shape : random.Below(kShapeCount);
        return {"how_many", absl::StrCat("how many ", Plural(shape), " are there ?"),
                NumberWord(CountShape(scene, shape))};
      }
      case 1: {
        const bool with_color = random.Chance(0.6);
        int shape = object.shape, color = with_color ? object.color : -1;
        if (random.Chance(0.5)) {  // change one attribute, so that the answer is usually no
          if (with_color && random.Chance(0.5)) {
            color = random.Below(kColorCount);
          } else {
            shape = random.Below(kShapeCount);
          }
        }
        const bool there = std::any_of(scene.objects.begin(), scene.objects.end(), [&](const Object& o) {
          return o.shape == shape && (color < 0 || o.color == color);
        });
        return {"is_there", absl::StrCat("is there ", Phrase(shape, color), " ?"), there ? "yes" : "no"};
      }
      case 2:
        if (CountShape(scene, object.shape) != 1) break;
        return {"what_color", absl::StrCat("what color is the ", ShapeName(object.shape), " ?"),
                ColorName(object.color)};
      case 3:
        if (CountColor(scene, object.color) != 1) break;
        return {"what_shape", absl::StrCat("what shape is ", ColorName(object.color), " ?"),
                ShapeName(object.shape)};
      case 4: {
        const Object& other =
            scene.objects[static_cast<size_t>(random.Below(static_cast<int>(scene.objects.size())))];
        if (CountShape(scene, object.shape) != 1 || CountShape(scene, other.shape) != 1 ||
            object.cell == other.cell) {
          break;
        }
        const char* words[] = {" left of the ", " right of the ", " above the ", " below the "};
        const int dx = object.cell % 2 - other.cell % 2, dy = object.cell / 2 - other.cell / 2;
        const bool all_hold[] = {dx<0, dx> 0, dy<0, dy> 0};
        // Yes and no are equally likely: draw the answer first, then a relation that has it.
        const bool holds = random.Chance(0.5);
        int relation = random.Below(4);
        while (all_hold[relation] != holds) relation = random.Below(4);
        return {
            "where",
            absl::StrCat("is the ", ShapeName(object.shape), words[relation], ShapeName(other.shape), " ?"),
            holds ? "yes" : "no"};
      }
      default: {
        const int cell = random.Below(kCells);
        const auto found = std::find_if(scene.objects.begin(), scene.objects.end(),
                                        [cell](const Object& o) { return o.cell == cell; });
        return {"which_cell", absl::StrCat("what shape is in the ", CellWords(cell), " ?"),
                found == scene.objects.end() ? "nothing" : ShapeName(found->shape)};
      }
    }
  }
}

TrainingPair TrainingPairs::Get(uint64_t index) const {
  Random random(StreamSeed(seed_, index));
  double total = 0;
  for (const double weight : weights_) total += weight;
  double draw = random.Uniform() * total;
  int kind = 0;
  while (kind + 1 < kKindCount && draw >= weights_[static_cast<size_t>(kind)]) {
    draw -= weights_[static_cast<size_t>(kind)];
    ++kind;
  }
  const std::vector<Composition>& all = AllCompositions(static_cast<Composition::Kind>(kind));
  const Composition* composition = nullptr;
  do {
    composition = &all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
  } while (IsHeldOut(*composition));
  TrainingPair pair;
  pair.kind = kKindNames[static_cast<size_t>(kind)];
  pair.scene = MakeScene(*composition, random);
  pair.prompt = MakeWording(*composition, random);
  pair.full_caption =
      FullCaptionIsHeldOut(pair.scene) ? pair.prompt : FullCaption(*composition, pair.scene, random);
  pair.dense_caption = DenseCaption(pair.scene);
  for (int i = 0; i < 2; ++i) pair.questions.push_back(AskAbout(pair.scene, random));
  return pair;
}

}  // namespace lvrpo::shapes
