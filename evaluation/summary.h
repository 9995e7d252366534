#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace lvrpo {

// Verdict of the independent checker on one held-out image.
struct ImageJudgement {
  std::string id;
  std::string kind;
  std::string prompt;
  bool correct = false;        // everything asked is there as asked, and nothing else is
  bool presence_only = false;  // everything asked is there (GenEval's rule)
  int objects = 0;             // objects found
  int objects_asked = 0;
  int unknown_shapes = 0;             // objects whose shape could not be told
  std::vector<std::string> detected;  // "red circle", ...
  std::vector<std::string> colors;    // colour of each object found
};

// Result of one held-out question.
struct AnswerJudgement {
  std::string id;
  std::string kind;
  bool correct = false;    // the greedy answer is exactly the right one
  double probability = 0;  // of the right answer when sampling at temperature 1: the expected exact match
};

// Means with their standard errors, over everything and by kind; see docs/operating.md for the fields.
// A proportion's standard error is sqrt(p (1 - p) / n).
nlohmann::json SummarizeImages(const std::vector<ImageJudgement>& judgements);
nlohmann::json SummarizeAnswers(const std::vector<AnswerJudgement>& judgements);

}  // namespace lvrpo
