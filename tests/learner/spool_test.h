#pragma once

#include <filesystem>
#include <string>

#include "common/clock.h"
#include "common/hash.h"
#include "gtest/gtest.h"
#include "learner/spool.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {

// A folder for a spool, and groups to put there.
class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() : run_(TestFolder()) {}
  ~SpoolTest() override { std::filesystem::remove_all(run_); }
  static std::string Bytes(int64_t ordinal, size_t size = 0) {
    v1::TrajectoryGroup group;
    group.set_ordinal(ordinal);
    group.set_image_rgb(std::string(size, 'x'));
    return group.SerializeAsString();
  }
  static absl::Status Put(Spool& spool, int64_t ordinal, int32_t attempt, const std::string& bytes) {
    auto writer = spool.Begin(ordinal, attempt, Sha256Hex(bytes), static_cast<int64_t>(bytes.size()));
    if (!writer.ok()) return writer.status();
    if (absl::Status status = (*writer)->Append(bytes); !status.ok()) return status;
    return (*writer)->Commit();
  }
  static bool Has(const Spool& spool, int64_t ordinal, int32_t attempt, const std::string& bytes) {
    return spool.Get(ordinal, attempt, Sha256Hex(bytes)).ok();
  }

  const std::string run_;
  FakeClock clock_;
};

}  // namespace lvrpo
