#include "model/torch_status.h"

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

// LibTorch's CPU allocator has no exception of its own.
bool IsAboutMemory(const std::string& text) {
  return absl::StrContains(text, "allocate memory") || absl::StrContains(text, "out of memory");
}

}  // namespace

absl::Status TryTorch(const std::function<void()>& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
    text = text.substr(0, text.find('\n'));
    return IsAboutMemory(text) ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
  }
}

}  // namespace lvrpo
