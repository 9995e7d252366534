#include "model_cli/text_flags.h"

#include <algorithm>

#include "model_cli/commands.h"
#include "model_cli/progress_line.h"

namespace lvrpo {
namespace {

// Where the first stop string begins; npos: nowhere.
size_t FindStop(const std::string& text, const std::vector<std::string>& stops) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

}  // namespace

void TextFlags::AddTo(CLI::App& app) {
  app.add_option("--max-tokens", max_tokens, "longest text")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--temperature", temperature, "0: always the likeliest token")
      ->check(CLI::Range(0., 100.))
      ->capture_default_str();
  app.add_option("--top-k", top_k, "only among the k likeliest tokens; 0: all")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--top-p", top_p, "only among the likeliest tokens that hold this probability together")
      ->check(CLI::Range(1e-6, 1.))
      ->capture_default_str();
  app.add_option("--stop", stop, "end the text before this string; may be repeated")->take_all();
  app.add_option("--kv-mib", kv_mib, "memory for keys and values")
      ->check(CLI::Range(1, kMostMib))
      ->capture_default_str();
}

absl::StatusOr<TextSamples> TextFlags::Answer(const UnifiedModel& model, const KvCache& context) const {
  if (absl::Status status = model.CheckRoom(context, max_tokens); !status.ok()) return status;
  TextRequest request;
  request.context = context;
  request.start = model.bagel.config().bos;
  request.samples = samples;
  request.options = {.max_tokens = max_tokens,
                     .temperature = temperature,
                     .top_k = top_k,
                     .top_p = top_p,
                     .eos = model.bagel.config().eos};
  if (!stop.empty()) {
    request.stop = [&](std::span<const int32_t> ids) {
      return FindStop(model.tokenizer->Decode(ids), stop) != std::string::npos;
    };
  }
  ProgressLine line("writing, tokens at most");
  absl::StatusOr<std::vector<TextSamples>> answers =
      GenerateTexts(model.bagel, {&request, 1}, seed, {.slots = 64, .kv_bytes = kv_mib << 20},
                    [&](int64_t tokens) { line.Update(tokens, samples * max_tokens); });
  if (!answers.ok()) return answers.status();
  return (*answers)[0];
}

std::string TextFlags::TextOf(const UnifiedModel& model, const std::vector<int32_t>& ids) const {
  const std::string text = model.tokenizer->Decode(ids);
  return text.substr(0, FindStop(text, stop));
}

}  // namespace lvrpo
