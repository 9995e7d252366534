#include "shapes_world/words.h"

#include "absl/strings/str_cat.h"

namespace lvrpo::shapes {

std::string Phrase(int shape, int color) {
  const std::string noun = shape >= 0 ? kShapeNames[static_cast<size_t>(shape)] : "object";
  if (color < 0) return absl::StrCat("a ", noun);
  const std::string name = kColorNames[static_cast<size_t>(color)];
  return absl::StrCat(name == "orange" ? "an " : "a ", name, " ", noun);
}

std::string Plural(int shape) {
  const std::string noun = kShapeNames[static_cast<size_t>(shape)];
  return noun == "cross" ? "crosses" : noun + "s";
}

std::vector<std::string> NumberWords() { return {"zero", "one", "two", "three", "four"}; }

std::string NumberWord(int number) { return NumberWords()[static_cast<size_t>(number)]; }

std::string CellWords(int cell) {
  return absl::StrCat(cell / 2 == 0 ? "top" : "bottom", " ", cell % 2 == 0 ? "left" : "right");
}

std::vector<std::string> AllWords() {
  std::vector<std::string> words = {"a",       "an",      "and",   "are",   "is",   "there",  "the",
                                    "how",     "many",    "of",    "in",    "what", "color",  "shape",
                                    "left",    "right",   "above", "below", "top",  "bottom", "object",
                                    "objects", "nothing", "yes",   "no",    ",",    "?",      "."};
  for (const std::string& word : NumberWords()) words.push_back(word);
  for (const char* color : kColorNames) words.push_back(color);
  for (int shape = 0; shape < kShapeCount; ++shape) {
    words.push_back(kShapeNames[static_cast<size_t>(shape)]);
    words.push_back(Plural(shape));
  }
  return words;
}

}  // namespace lvrpo::shapes
