#include "shapes_world/composition.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "shapes_world/words.h"

namespace lvrpo::shapes {
namespace {

// How many compositions of each kind are held out, in the order of kKindNames.
constexpr std::array<int, kKindCount> kHeldOut = {2, 3, 4, 10, 12, 160};

std::vector<Composition> Enumerate(Composition::Kind kind) {
  std::vector<Composition> all;
  for (int a = 0; a < kShapeCount; ++a) {
    switch (kind) {
      case Composition::kSingle:
        all.push_back({.kind = kind, .shape_a = a});
        break;
      case Composition::kColors:
        for (int color = 0; color < kColorCount; ++color) {
          all.push_back({.kind = kind, .shape_a = a, .color_a = color});
        }
        break;
      case Composition::kCounting:
        for (int count = 2; count <= kCells; ++count)
          all.push_back({.kind = kind, .shape_a = a, .count = count});
        break;
      case Composition::kTwo:
        for (int b = a + 1; b < kShapeCount; ++b) all.push_back({.kind = kind, .shape_a = a, .shape_b = b});
        break;
      case Composition::kPosition:
        for (int b = 0; b < kShapeCount; ++b) {
          if (a == b) continue;
          for (const bool above : {false, true}) {
            all.push_back({.kind = kind, .shape_a = a, .shape_b = b, .above = above});
          }
        }
        break;
      case Composition::kAttribution:
        for (int b = a + 1; b < kShapeCount; ++b) {
          for (int color_a = 0; color_a < kColorCount; ++color_a) {
            for (int color_b = 0; color_b < kColorCount; ++color_b) {
              if (color_a == color_b) continue;
              all.push_back(
                  {.kind = kind, .shape_a = a, .color_a = color_a, .shape_b = b, .color_b = color_b});
            }
          }
        }
        break;
    }
  }
  return all;
}

std::set<std::string> ChooseHeldOut() {
  std::set<std::string> held_out;
  for (int kind = 0; kind < kKindCount; ++kind) {
    std::map<uint64_t, std::string> by_hash;
    for (const Composition& composition : AllCompositions(static_cast<Composition::Kind>(kind))) {
      const std::string key = CompositionKey(composition);
      by_hash[StableHash64(key)] = key;
    }
    auto next = by_hash.begin();
    for (int i = 0; i < kHeldOut[static_cast<size_t>(kind)]; ++i, ++next) held_out.insert(next->second);
  }
  return held_out;
}

// Two different cells; a left of / above b when `ordered`.
std::pair<int, int> TwoCells(bool ordered, bool above, Random& random) {
  while (true) {
    const int a = random.Below(kCells), b = random.Below(kCells);
    if (a == b) continue;
    if (!ordered) return {a, b};
    if (above ? a / 2 < b / 2 : a % 2 < b % 2) return {a, b};
  }
}

v1::ObjectConstraint* AddObject(v1::PromptRecord& record, int shape, int color, int count) {
  v1::ObjectConstraint* object = record.mutable_constraints()->add_objects();
  if (shape >= 0) object->set_shape(kShapeNames[static_cast<size_t>(shape)]);
  if (color >= 0) object->set_color(kColorNames[static_cast<size_t>(color)]);
  object->set_count(count);
  for (int i = 0; i < count; ++i) record.add_key_phrases(Phrase(shape, color));
  return object;
}

void AddQuestion(v1::PromptRecord& record, const std::string& text, const std::string& answer,
                 std::vector<std::string> choices) {
  v1::Question* question = record.add_questions();
  question->set_text(text);
  question->set_answer(answer);
  for (std::string& choice : choices) question->add_choices(std::move(choice));
}

}  // namespace

std::string CompositionKey(const Composition& c) {
  return absl::StrCat(kKindNames[static_cast<size_t>(c.kind)], ":", c.shape_a, ":", c.color_a, ":", c.shape_b,
                      ":", c.color_b, ":", c.count, ":", c.above);
}

const std::vector<Composition>& AllCompositions(Composition::Kind kind) {
  static const auto* all = [] {
    auto* lists = new std::vector<std::vector<Composition>>;
    for (int k = 0; k < kKindCount; ++k) lists->push_back(Enumerate(static_cast<Composition::Kind>(k)));
    return lists;
  }();
  return (*all)[static_cast<size_t>(kind)];
}

bool IsHeldOut(const Composition& composition) {
  static const auto* held_out = new std::set<std::string>(ChooseHeldOut());
  return held_out->contains(CompositionKey(composition));
}

Scene MakeScene(const Composition& c, Random& random) {
  Scene scene = RandomBackground(random);
  const int color_a = c.color_a >= 0 ? c.color_a : random.Below(kColorCount);
  switch (c.kind) {
    case Composition::kSingle:
    case Composition::kColors:
      scene.objects.push_back(PlaceObject(c.shape_a, color_a, random.Below(kCells), random));
      break;
    case Composition::kCounting: {
      int cells[kCells] = {0, 1, 2, 3};
      for (int i = kCells - 1; i > 0; --i) std::swap(cells[i], cells[random.Below(i + 1)]);
      for (int i = 0; i < c.count; ++i) {
        scene.objects.push_back(PlaceObject(c.shape_a, random.Below(kColorCount), cells[i], random));
      }
      break;
    }
    case Composition::kTwo:
    case Composition::kPosition:
    case Composition::kAttribution: {
      const auto [cell_a, cell_b] = TwoCells(c.kind == Composition::kPosition, c.above, random);
      const int color_b = c.color_b >= 0 ? c.color_b : random.Below(kColorCount);
      scene.objects.push_back(PlaceObject(c.shape_a, color_a, cell_a, random));
      scene.objects.push_back(PlaceObject(c.shape_b, color_b, cell_b, random));
      break;
    }
  }
  std::sort(scene.objects.begin(), scene.objects.end(),
            [](const Object& left, const Object& right) { return left.cell < right.cell; });
  return scene;
}

std::string MakeWording(const Composition& c, Random& random) {
  const std::string a = Phrase(c.shape_a, c.color_a), b = Phrase(c.shape_b, c.color_b);
  const bool swap = random.Chance(0.5);
  switch (c.kind) {
    case Composition::kSingle:
    case Composition::kColors:
      return a;
    case Composition::kCounting:
      return absl::StrCat(NumberWord(c.count), " ", Plural(c.shape_a));
    case Composition::kTwo:
    case Composition::kAttribution:
      return swap ? absl::StrCat(b, " and ", a) : absl::StrCat(a, " and ", b);
    case Composition::kPosition:
      if (swap) return absl::StrCat(b, c.above ? " below " : " right of ", a);
      return absl::StrCat(a, c.above ? " above " : " left of ", b);
  }
  return "";
}

v1::PromptRecord MakeRecord(const Composition& c, const std::string& id, Random& random) {
  v1::PromptRecord record;
  record.set_id(id);
  record.set_task(v1::TASK_KIND_IMAGE);
  record.set_kind(kKindNames[static_cast<size_t>(c.kind)]);
  record.set_text(MakeWording(c, random));
  record.mutable_constraints()->set_width(kImageSize);
  record.mutable_constraints()->set_height(kImageSize);
  AddObject(record, c.shape_a, c.color_a, c.count);
  if (c.shape_b >= 0) AddObject(record, c.shape_b, c.color_b, 1);
  const int total = c.shape_b >= 0 ? 2 : c.count;
  AddQuestion(record, "how many objects are there ?", NumberWord(total), NumberWords());
  const std::string a = c.shape_a >= 0 ? kShapeNames[static_cast<size_t>(c.shape_a)] : "";
  const std::string b = c.shape_b >= 0 ? kShapeNames[static_cast<size_t>(c.shape_b)] : "";
  const std::vector<std::string> yes_no = {"yes", "no"};
  const std::vector<std::string> colors(kColorNames.begin(), kColorNames.end());
  switch (c.kind) {
    case Composition::kSingle:
    case Composition::kColors:
      AddQuestion(record, absl::StrCat("is there ", Phrase(c.shape_a, c.color_a), " ?"), "yes", yes_no);
      break;
    case Composition::kCounting:
      AddQuestion(record, absl::StrCat("how many ", Plural(c.shape_a), " are there ?"), NumberWord(c.count),
                  NumberWords());
      break;
    case Composition::kTwo:
      AddQuestion(record, absl::StrCat("is there a ", a, " ?"), "yes", yes_no);
      AddQuestion(record, absl::StrCat("is there a ", b, " ?"), "yes", yes_no);
      break;
    case Composition::kAttribution:
      AddQuestion(record, absl::StrCat("what color is the ", a, " ?"),
                  kColorNames[static_cast<size_t>(c.color_a)], colors);
      AddQuestion(record, absl::StrCat("what color is the ", b, " ?"),
                  kColorNames[static_cast<size_t>(c.color_b)], colors);
      break;
    case Composition::kPosition: {
      v1::RelationConstraint* relation = record.mutable_constraints()->add_relations();
      relation->set_subject(0);
      relation->set_relation(c.above ? "above" : "left of");
      relation->set_object(1);
      AddQuestion(record, absl::StrCat("is the ", a, c.above ? " above the " : " left of the ", b, " ?"),
                  "yes", yes_no);
      break;
    }
  }
  return record;
}

}  // namespace lvrpo::shapes
