#include "data/tokenizer/metaspace.h"

#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/unicode/unicode.h"

namespace lvrpo {

absl::StatusOr<Metaspace> Metaspace::FromJson(const nlohmann::json& spec, const std::string& where) {
  Metaspace options;
  absl::StatusOr<std::string> replacement = StringMember(spec, "replacement", where);
  if (!replacement.ok()) return replacement.status();
  size_t length = 0;
  if (!replacement->empty()) unicode::NextCodePoint(*replacement, &length);
  if (length == 0 || length != replacement->size())
    return absl::InvalidArgumentError(absl::StrCat(where, ": replacement has to be one character"));
  options.replacement = *std::move(replacement);
  if (spec.contains("prepend_scheme")) {
    const absl::StatusOr<std::string> scheme = StringMember(spec, "prepend_scheme", where);
    if (!scheme.ok()) return scheme.status();
    if (*scheme == "always") {
      options.prepend = Prepend::kAlways;
    } else if (*scheme == "first") {
      options.prepend = Prepend::kFirst;
    } else if (*scheme == "never") {
      options.prepend = Prepend::kNever;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": prepend_scheme ", QuoteToken(*scheme), " is none of always, first, never"));
    }
  }
  if (spec.contains("add_prefix_space")) {
    const absl::StatusOr<bool> adds = BoolMember(spec, "add_prefix_space", where);
    if (!adds.ok()) return adds.status();
    if (spec.contains("prepend_scheme") && *adds == (options.prepend == Prepend::kNever)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": add_prefix_space and prepend_scheme contradict each other"));
    }
    if (!*adds) options.prepend = Prepend::kNever;
  }
  if (spec.contains("split")) {
    const absl::StatusOr<bool> split = BoolMember(spec, "split", where);
    if (!split.ok()) return split.status();
    options.split = *split;
  }
  return options;
}

}  // namespace lvrpo
