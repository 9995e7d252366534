#pragma once

#include <string>
#include <vector>

#include "shapes_world/scene.h"

namespace lvrpo::shapes {

// "a red circle"; -1 leaves an attribute out ("a circle", "a red object").
std::string Phrase(int shape, int color);
std::string Plural(int shape);           // "circles", "crosses"
std::string NumberWord(int number);      // 0 .. 4: "zero" .. "four"
std::vector<std::string> NumberWords();  // "zero" .. "four"
std::string CellWords(int cell);         // "top left"

// The closed vocabulary: every word that a caption, prompt, question or answer of this world can have.
std::vector<std::string> AllWords();

}  // namespace lvrpo::shapes
