// What an object store, a token service, a credentials file, a checkpoint's manifest and a configuration say.
#include <cstdint>
#include <cstdlib>

#include "common/object_store/credentials_file.h"
#include "common/object_store/s3_address.h"
#include "common/object_store/s3_verdict.h"
#include "common/object_store/s3_xml.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = lvrpo::fuzz::Bytes(data, size);
  const lvrpo::S3Error error = lvrpo::ReadS3Error(bytes);
  (void)lvrpo::JudgeS3Answer(200, error.code);
  if (const auto page = lvrpo::ReadS3Page(bytes); page.ok()) {
    for (const lvrpo::S3Object& object : page->objects) {
      if (object.key.empty() || object.size < 0) abort();
    }
  }
  (void)lvrpo::ReadS3Uploads(bytes);
  (void)lvrpo::ReadS3UploadId(bytes);
  (void)lvrpo::ReadAssumedRole(bytes);
  if (const auto profile = lvrpo::ReadProfile(bytes, "default");
      profile.has_value() && (profile->access_key.empty() || profile->secret_key.empty()))
    abort();
  if (const auto place = lvrpo::ParseS3Place(bytes); place.ok()) {
    const lvrpo::S3Server server = {.endpoint = "https://h", .region = "r", .path_style = true};
    for (const char c : lvrpo::S3Url(server, place->bucket, place->prefix, {})) {
      if (c <= ' ' || c > '~') abort();
    }
  }
  if (const auto files = lvrpo::ReadManifestFiles(bytes); files.ok()) {
    for (const auto& [name, digest] : *files) {
      if (name.empty() || name.front() == '/' || name.find("..") == 0) abort();
    }
  }
  return 0;
}
