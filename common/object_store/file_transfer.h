#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/object_store/s3_client.h"

// Files to and from an object store, in parts of which several are on their way at once.
namespace lvrpo {

struct TransferOptions {
  int64_t part_bytes = int64_t{16} << 20;  // at least; files up to this size are sent whole
  int at_once = 4;                         // parts, each in memory
};

// Bytes of a part so that the file has at most the 10000 parts that a server takes: `least`, or more in whole
// MiB. Pure.
int64_t PartBytes(int64_t file_bytes, int64_t least);

// Sends a file that must have this SHA-256 (hex). The object appears only when all parts have arrived and the
// file's digest is right; otherwise the upload is aborted, unless the server is away or S3Client was stopped:
// then its parts stay. DataLoss: the file has another digest; other errors of S3Client and of reading the
// file. Blocks; joins its threads.
absl::Status UploadFile(S3Client& client, const std::string& key, const std::string& path,
                        const std::string& sha256, const TransferOptions& options = {});

// Receives the first `size` bytes of an object into a file, which appears under its name only when their
// SHA-256 is right. DataLoss: it is not, or the object has fewer. Blocks; joins its threads.
absl::Status DownloadFile(S3Client& client, const std::string& key, const std::string& path, int64_t size,
                          const std::string& sha256, const TransferOptions& options = {});

}  // namespace lvrpo
