#include "evaluation/summary.h"

#include <cmath>

namespace lvrpo {
namespace {

struct Proportion {
  int64_t hits = 0;
  int64_t total = 0;

  void Add(bool hit) {
    hits += hit ? 1 : 0;
    ++total;
  }
  double mean() const { return total == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(total); }
  double standard_error() const {
    return total == 0 ? 0 : std::sqrt(mean() * (1 - mean()) / static_cast<double>(total));
  }
};

double EntropyBits(const std::map<std::string, int64_t>& counts) {
  double total = 0;
  for (const auto& [name, count] : counts) total += static_cast<double>(count);
  double bits = 0;
  for (const auto& [name, count] : counts) {
    const double share = static_cast<double>(count) / total;
    bits -= share * std::log2(share);
  }
  return bits;
}

double Ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

}  // namespace

nlohmann::json SummarizeImages(const std::vector<ImageJudgement>& judgements) {
  Proportion correct, presence;
  std::map<std::string, Proportion> correct_by_kind, presence_by_kind;
  std::map<std::string, int64_t> colors;
  double objects = 0, asked = 0, unknown = 0;
  for (const ImageJudgement& judgement : judgements) {
    correct.Add(judgement.correct);
    presence.Add(judgement.presence_only);
    correct_by_kind[judgement.kind].Add(judgement.correct);
    presence_by_kind[judgement.kind].Add(judgement.presence_only);
    objects += judgement.objects;
    asked += judgement.objects_asked;
    unknown += judgement.unknown_shapes;
    for (const std::string& color : judgement.colors) ++colors[color];
  }
  nlohmann::json by_kind = nlohmann::json::object();
  for (const auto& [kind, proportion] : correct_by_kind) {
    by_kind[kind] = {{"images", proportion.total},
                     {"score", proportion.mean()},
                     {"standard_error", proportion.standard_error()},
                     {"presence_only", presence_by_kind[kind].mean()}};
  }
  const double images = static_cast<double>(judgements.size());
  return {{"images", judgements.size()},
          {"score", correct.mean()},
          {"standard_error", correct.standard_error()},
          {"presence_only", presence.mean()},
          {"objects_per_image", Ratio(objects, images)},
          {"objects_asked_per_image", Ratio(asked, images)},
          {"unknown_share", Ratio(unknown, objects)},
          {"color_entropy_bits", EntropyBits(colors)},
          {"by_kind", by_kind}};
}

nlohmann::json SummarizeAnswers(const std::vector<AnswerJudgement>& judgements) {
  Proportion correct;
  std::map<std::string, Proportion> by_kind;
  std::map<std::string, double> probability_by_kind;
  double probability = 0;
  for (const AnswerJudgement& judgement : judgements) {
    correct.Add(judgement.correct);
    by_kind[judgement.kind].Add(judgement.correct);
    probability += judgement.probability;
    probability_by_kind[judgement.kind] += judgement.probability;
  }
  nlohmann::json kinds = nlohmann::json::object();
  for (const auto& [kind, proportion] : by_kind) {
    kinds[kind] = {
        {"questions", proportion.total},
        {"exact_match", proportion.mean()},
        {"standard_error", proportion.standard_error()},
        {"answer_probability", Ratio(probability_by_kind[kind], static_cast<double>(proportion.total))}};
  }
  return {{"questions", judgements.size()},
          {"exact_match", correct.mean()},
          {"standard_error", correct.standard_error()},
          {"answer_probability", Ratio(probability, static_cast<double>(judgements.size()))},
          {"by_kind", kinds}};
}

}  // namespace lvrpo
