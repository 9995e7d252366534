#pragma once

#include <map>
#include <string>

#include "common/object_store/s3_client.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_s3.h"
#include "tests/testing/fake_waiting.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {

// A client of a fake store, with the fake's keys in its environment.
class StoreTest : public ::testing::Test {
 protected:
  S3Client::Options Options() {
    return {.server = {.endpoint = fake_.url(), .region = FakeS3::kRegion, .path_style = true, .ca_file = ""},
            .bucket = "bucket",
            .profile = "",
            .variable = [this](const char* name) { return environment_[name]; },
            .retry = {.retries = 3},
            .stop = nullptr,
            .waiting = time_.waiting()};
  }

  FakeS3 fake_;
  FakeWaiting time_;
  std::map<std::string, std::string> environment_ = {{"AWS_ACCESS_KEY_ID", FakeS3::kAccessKey},
                                                     {"AWS_SECRET_ACCESS_KEY", FakeS3::kSecretKey}};
};

}  // namespace lvrpo
