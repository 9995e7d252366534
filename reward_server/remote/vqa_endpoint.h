#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/remote/http/http.h"
#include "reward_server/remote/http/http_client.h"
#include "reward_server/remote/vqa_cache.h"
#include "reward_server/remote/vqa_form.h"
#include "reward_server/remote/vqa_metrics.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// "knowledge", R_know (paper, equation 8), by any OpenAI-compatible endpoint for chat completions that
// returns log-probabilities (docs/remote_scorers.md): the probability of the right answer among a question's
// choices, as a mean over the record's questions. Questions about all images are sent concurrently, and
// answers are cached. Errors name the model and the URL.
class VqaEndpointScorer : public Scorer {
 public:
  struct Options {
    absl::Duration deadline = absl::Seconds(20);  // of a group, retries included
    Waiting waiting = {};
  };
  // Sends nothing yet. FailedPrecondition when config.api_key_variable is set and that variable is not in the
  // environment, or holds no key. `metrics` must outlive the scorer. Without a transport: libcurl.
  static absl::StatusOr<std::unique_ptr<VqaEndpointScorer>> Create(
      const v1::VqaEndpointConfig& config, const Options& options, Metrics& metrics,
      std::unique_ptr<HttpTransport> transport = nullptr);

  std::string name() const override { return "knowledge"; }
  // Covers the URL, the model's name and the prompt format: the endpoint's actual weights are not visible.
  std::string digest() const override { return digest_; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE && prompt.questions_size() > 0;
  }
  // detail: choices that were floored, and questions where other answers were likelier than all choices.
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  // A question about an image that is to be sent.
  struct Asked {
    size_t image, question;
    std::string key;
  };

  VqaEndpointScorer(const v1::VqaEndpointConfig& config, const Options& options, std::string key,
                    Metrics& metrics, std::unique_ptr<HttpTransport> transport);
  // [image, question]: from the cache, or requested, each once.
  absl::StatusOr<std::vector<VqaAnswer>> AnswerAll(const ScoringGroup& group,
                                                   const std::vector<VqaQuestion>& questions);
  // Requests the answers and adds them by key; caches and counts them. Returns the first failure, if any.
  absl::Status Ask(const ScoringGroup& group, const std::vector<VqaQuestion>& questions,
                   const std::vector<Asked>& asked, absl::flat_hash_map<std::string, VqaAnswer>* answers);
  absl::StatusOr<VqaAnswer> Receive(const absl::StatusOr<std::string>& body,
                                    const std::vector<std::string>& labels);

  const v1::VqaEndpointConfig config_;
  const std::string url_;  // of chat completions
  const std::string digest_;
  HttpClient client_;
  VqaCache cache_;
  VqaMetrics metrics_;
};

}  // namespace lvrpo
