#pragma once

#include <string>

#include "common/hash.h"
#include "gtest/gtest.h"
#include "learner/spool.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {

// A folder for a spool, and groups to put there.
class SpoolTest : public ::testing::Test {
 protected:
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

  const TemporaryFolder folder_;
  const std::string run_ = folder_.path();
  FakeClock clock_;
};

}  // namespace lvrpo
