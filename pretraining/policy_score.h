#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Share of images that the independent checker calls right, by kind and over all ("all"); ODE sampling with n
// = 10, shift 2. Takes at most `per_kind` records of each kind. `grid_png`: where to write the images; empty:
// nowhere.
std::map<std::string, double> ScorePolicy(const Bagel& model, const Autoencoder& autoencoder,
                                          const Tokenizer& tokenizer,
                                          const std::vector<v1::PromptRecord>& prompts, int per_kind,
                                          double cfg_scale, const std::string& grid_png);

// Share of questions about fresh random scenes answered exactly (greedy), by kind and over all.
std::map<std::string, double> ScoreAnswers(const Bagel& model, const Tokenizer& tokenizer, int questions,
                                           uint64_t seed);

// "all .371  single .75 ..."
std::string FormatScores(const std::map<std::string, double>& scores);

}  // namespace lvrpo
