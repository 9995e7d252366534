#include "common/thrown.h"

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::Status ThrownStatus() {
  const std::exception_ptr thrown = std::current_exception();
  if (thrown == nullptr) return absl::InternalError("std::terminate was called");
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory left");
  } catch (const std::exception& error) {
    std::string what = error.what();
    what = what.substr(0, what.find('\n'));
    if (absl::StrContains(what, "allocate memory") || absl::StrContains(what, "out of memory"))
      return absl::ResourceExhaustedError(absl::StrCat("no memory left: ", what));
    return absl::InternalError(what);
  } catch (...) {
    return absl::InternalError("unknown");
  }
}

absl::Status TryToRun(const std::function<void()>& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (...) {
    return ThrownStatus();
  }
}

}  // namespace lvrpo
