#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/files/file.h"

namespace lvrpo {

// A new, empty folder, which goes with this object and with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "lvrpo-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) {
      std::perror(path_.c_str());
      std::abort();
    }
  }
  ~TemporaryFolder() {
    if (kept_) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  // It stays: what is in it may say why a test failed.
  void Keep() { kept_ = true; }
  // The path of something inside, whether it is there or not.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Makes a file with this content, and the folders on its way; returns its path.
  std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    if (const absl::Status status = WriteFileAtomic(path, content); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      std::abort();
    }
    return path;
  }

 private:
  std::string path_;
  bool kept_ = false;
};

}  // namespace lvrpo
