#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// From the parsed file; see MakeWordTokenizer. Errors begin with `path`.
absl::StatusOr<std::unique_ptr<Tokenizer>> WordTokenizerFromJson(const nlohmann::json& json,
                                                                 const std::string& path);

}  // namespace lvrpo
