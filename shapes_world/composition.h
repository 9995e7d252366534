#pragma once

#include <string>
#include <vector>

#include "common/random.h"
#include "proto/lvrpo/v1/prompt.pb.h"
#include "shapes_world/scene.h"

namespace lvrpo::shapes {

// What a prompt asks for, apart from its wording. Six kinds, after GenEval's:
//   single "a circle"; two "a circle and a square"; counting "three circles"; colors "a red circle";
//   position "a circle left of a square"; attribution "a red circle and a blue square".
// Attributes that are -1 are open.
struct Composition {
  enum Kind { kSingle, kTwo, kCounting, kColors, kPosition, kAttribution };
  Kind kind = kSingle;
  int shape_a = -1, color_a = -1;
  int shape_b = -1, color_b = -1;  // two, position, attribution
  int count = 1;                   // counting
  bool above = false;              // position: a is above b, instead of left of it
};
inline constexpr int kKindCount = 6;
inline constexpr std::array<const char*, kKindCount> kKindNames = {"single", "two",      "counting",
                                                                   "colors", "position", "attribution"};

// A name that is the same for all wordings of one composition: "a left of b" and "b right of a" share it.
std::string CompositionKey(const Composition& composition);

// Every composition of a kind, each once. `two` and `attribution` list unordered pairs.
const std::vector<Composition>& AllCompositions(Composition::Kind kind);

// Held-out compositions (about a fifth of each kind, chosen by hash) are asked for only in evaluation: no
// training prompt and no pre-training caption has one.
bool IsHeldOut(const Composition& composition);

// A random scene that shows exactly this composition and nothing else.
Scene MakeScene(const Composition& composition, Random& random);

// One of its wordings.
std::string MakeWording(const Composition& composition, Random& random);

// A complete IMAGE record: wording, constraints, key phrases, verifying questions.
v1::PromptRecord MakeRecord(const Composition& composition, const std::string& id, Random& random);

}  // namespace lvrpo::shapes
