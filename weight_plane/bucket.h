#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The bytes of one bucket, of a size that does not change. Not cleared when made: whoever makes it fills it.
// Moves, and is never copied by accident.
class Bucket {
 public:
  Bucket() = default;
  explicit Bucket(size_t size) : bytes_(std::make_unique_for_overwrite<char[]>(size)), size_(size) {}
  Bucket(Bucket&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  Bucket& operator=(Bucket&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  absl::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace lvrpo
