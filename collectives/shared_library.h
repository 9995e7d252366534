#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lvrpo {

// A library that is loaded at run time and never unloaded.
class SharedLibrary {
 public:
  // The first of `names` (as dlopen() takes them) that loads. Unavailable says why none did.
  static absl::StatusOr<SharedLibrary> Open(const std::vector<std::string>& names);

  const std::string& name() const { return name_; }

  // Sets `function` to the symbol, or to null if there is none.
  template <typename Function>
  void Find(const char* symbol, Function** function) const {
    *function = reinterpret_cast<Function*>(Address(symbol));
  }

 private:
  SharedLibrary(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}
  void* Address(const char* symbol) const;

  void* handle_;
  std::string name_;
};

// The one name that the environment variable gives, or `defaults` where it is not set.
std::vector<std::string> NamesFrom(const char* variable, std::vector<std::string> defaults);

}  // namespace lvrpo
