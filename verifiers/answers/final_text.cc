#include "verifiers/answers/final_text.h"

#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace lvrpo {
namespace {

struct Pair {
  absl::string_view begin, end;  // in small letters
};

constexpr Pair kThinking[] = {
    {"<think>", "</think>"},
    {"<thinking>", "</thinking>"},
    {"<thought>", "</thought>"},
    {"<thoughts>", "</thoughts>"},
    {"<reasoning>", "</reasoning>"},
    {"<reason>", "</reason>"},
    {"<reflection>", "</reflection>"},
    {"<analysis>", "</analysis>"},
    {"<scratchpad>", "</scratchpad>"},
    {"<seed:think>", "</seed:think>"},
    {"[think]", "[/think]"},
    {"\u25C1think\u25B7", "\u25C1/think\u25B7"},
    {"<|think|>", "<|/think|>"},
    {"<|begin_of_thought|>", "<|end_of_thought|>"},
    {"<|start_thinking|>", "<|end_thinking|>"},
    {"<|channel|>analysis<|message|>", "<|channel|>final<|message|>"},
};

constexpr absl::string_view kBeginnings[] = {
    "<s>",
    "<bos>",
    "<|begin_of_text|>",
    "<|startoftext|>",
    "<|im_start|>assistant",
    "<|assistant|>",
    "<|start|>assistant",
    "<start_of_turn>model",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>",
    "<\uFF5CAssistant\uFF5C>",
};

constexpr absl::string_view kEnds[] = {
    "</s>",
    "<eos>",
    "<eot>",
    "<eod>",
    "<pad>",
    "[eos]",
    "[pad]",
    "<|eos|>",
    "<|end|>",
    "<|pad|>",
    "<|user|>",
    "<|im_end|>",
    "<|im_start|>",
    "<|return|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<|end_of_turn_token|>",
    "<|end_of_sentence|>",
    "<|start_header_id|>",
    "<end_of_turn>",
    "<start_of_turn>",
    "<end_of_utterance>",
    "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    "<\uFF5CUser\uFF5C>",
};

// After the beginning these are HTML's for what is struck out, and end no turn.
constexpr absl::string_view kStruck = "<s>", kStruckEnd = "</s>";

// Whether a tag of the lists above can begin with this byte.
bool MayBegin(char c) { return c == '<' || c == '[' || c == '\xE2'; }

bool Begins(absl::string_view text, absl::string_view mark) { return absl::StartsWithIgnoreCase(text, mark); }

bool IsCalled(absl::string_view mark, absl::string_view tag) {
  return !tag.empty() && mark.size() == tag.size() + 2 &&
         absl::EqualsIgnoreCase(mark.substr(1, tag.size()), tag);
}

std::string WithoutThinking(absl::string_view text, absl::string_view tag) {
  std::string kept;
  size_t from = 0;               // of what is neither kept nor left out yet
  const Pair* inside = nullptr;  // of these marks
  for (size_t at = 0; at < text.size();) {
    const absl::string_view rest = text.substr(at++);
    if (!MayBegin(rest[0])) continue;
    for (const Pair& pair : kThinking) {
      if (IsCalled(pair.begin, tag) || (inside != nullptr && inside != &pair)) continue;
      if (inside == nullptr && Begins(rest, pair.begin)) {
        kept.append(text.data() + from, at - 1 - from);
        inside = &pair;
        break;
      }
      if (Begins(rest, pair.end)) {
        if (inside == nullptr) kept.clear();
        inside = nullptr;
        from = at - 1 + pair.end.size();
        break;
      }
    }
  }
  if (inside == nullptr) kept.append(text.data() + from, text.size() - from);
  return kept;
}

}  // namespace

std::string FinalText(absl::string_view text, absl::string_view tag) {
  const std::string spoken = WithoutThinking(text, tag);
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(spoken);
  for (size_t i = 0; i < std::size(kBeginnings);) {
    if (!Begins(rest, kBeginnings[i++])) continue;
    rest = absl::StripLeadingAsciiWhitespace(rest.substr(kBeginnings[i - 1].size()));
    i = 0;
  }
  const size_t last_struck = rest.rfind(kStruckEnd);
  for (size_t at = 0; at < rest.size(); ++at) {
    if (!MayBegin(rest[at])) continue;
    while (last_struck != absl::string_view::npos && at < last_struck && Begins(rest.substr(at), kStruck))
      at = rest.find(kStruckEnd, at) + kStruckEnd.size();
    for (const absl::string_view end : kEnds) {
      if (Begins(rest.substr(at), end)) return std::string(rest.substr(0, at));
    }
  }
  return std::string(rest);
}

}  // namespace lvrpo
