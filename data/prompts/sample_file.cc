#include "data/prompts/sample_file.h"

#include "absl/strings/str_format.h"

namespace lvrpo {

std::string SampleFileName(size_t number) { return absl::StrFormat("sample-%04d.png", number); }

bool IsPlainFileName(absl::string_view name) {
  constexpr absl::string_view kNever("/\0", 2);
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(kNever) == absl::string_view::npos;
}

}  // namespace lvrpo
