// Speed of sending a checkpoint's file to an object store and back, against a plain HTTP PUT of the same
// bytes through libcurl, which neither signs nor hashes. The server is in this process, on loopback, and
// checks the signature and the SHA-256 of signed requests as a real one does.

#include <algorithm>
#include <cstdio>
#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/flags/role_flags.h"
#include "common/hash.h"
#include "common/http/curl.h"
#include "common/object_store/file_transfer.h"
#include "common/stopwatch.h"
#include "tests/testing/fake_s3.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

double Best(int repeats, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const Stopwatch watch;
    work();
    best = std::min(best, watch.Seconds());
  }
  return best;
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

// One unsigned PUT; the fake answers 403 after it has received everything.
void PlainPut(const std::string& url, const std::string& path) {
  const std::string bytes = *ReadFile(path);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(MakeCurl(), &curl_easy_cleanup);
  char error[CURL_ERROR_SIZE] = "";
  AimCurl(easy.get(), url, absl::Minutes(10), error);
  curl_slist* headers = curl_slist_append(nullptr, "Expect:");
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, "PUT");
  curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes.size()));
  curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, bytes.data());
  curl_easy_setopt(
      easy.get(), CURLOPT_WRITEFUNCTION,
      +[](char*, size_t size, size_t count, void*) { return size * count; });
  const CURLcode result = curl_easy_perform(easy.get());
  curl_slist_free_all(headers);
  if (result != CURLE_OK) Must(CurlFailure(easy.get(), result, error));
}

absl::Status Measure(int64_t megabytes, int repeats) {
  FakeS3 fake;
  const TemporaryFolder folder;
  std::string bytes(static_cast<size_t>(megabytes) * 1000000, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::string path = folder.Write("file", bytes), digest = Sha256Hex(bytes);
  S3Client client({.server = {.endpoint = fake.url(), .region = FakeS3::kRegion, .path_style = true},
                   .bucket = "bucket",
                   .variable = [](const char* name) -> std::string {
                     if (std::string(name) == "AWS_ACCESS_KEY_ID") return FakeS3::kAccessKey;
                     return std::string(name) == "AWS_SECRET_ACCESS_KEY" ? FakeS3::kSecretKey : "";
                   }});
  const double mb = static_cast<double>(bytes.size()) / 1e6;
  const double hash = Best(repeats, [&] { Must(FileSha256Hex(path).status()); });
  const double plain = Best(repeats, [&] { PlainPut(fake.url() + "/bucket/plain", path); });
  std::printf("%lld MB, best of %d, server in the same process\n", static_cast<long long>(megabytes),
              repeats);
  std::printf("SHA-256 of the file           %7.0f MB/s\n", mb / hash);
  std::printf("plain PUT (unsigned, no hash) %7.0f MB/s  1.00\n", mb / plain);
  for (const int at_once : {1, 2, 4}) {
    const TransferOptions options = {.at_once = at_once};
    const double up = Best(repeats, [&] { Must(UploadFile(client, "k", path, digest, options)); });
    const double down = Best(repeats, [&] {
      Must(DownloadFile(client, "k", folder / "back", static_cast<int64_t>(bytes.size()), digest, options));
    });
    std::printf("upload, %d parts at once       %7.0f MB/s  %.2f\n", at_once, mb / up, plain / up);
    std::printf("download, %d parts at once     %7.0f MB/s  %.2f\n", at_once, mb / down, plain / down);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Speed of sending a file to an object store, against a plain HTTP PUT.");
  int64_t megabytes = 200;
  int repeats = 5;
  app.add_option("--megabytes", megabytes, "size of the file")->capture_default_str();
  app.add_option("--repeats", repeats, "runs of each, of which the best counts")->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  return Explain("lvrpo-bench-store", Measure(megabytes, repeats));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
