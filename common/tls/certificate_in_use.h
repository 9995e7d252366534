#pragma once

#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/tls/memory_file.h"
#include "common/tls/tls_folder.h"

namespace lvrpo {

// The certificate and key of a folder, as they are renewed there: what cannot be used (damaged, without its
// key, for another identity, gone) never takes the place of what can. gRPC reads them from files in memory.
// Thread-safe.
class CertificateInUse {
 public:
  // Looks at the folder every `reload`, in a thread of its own.
  CertificateInUse(const TlsFolder& folder, absl::Duration reload);
  ~CertificateInUse();

  const std::string& certificate_path() const { return certificate_path_; }
  const std::string& key_path() const { return key_path_; }
  std::string certificate() const;  // PEM

  // Looks at the folder now. Not OK: its files cannot be used, and why; those before them stay in use.
  absl::Status Refresh();

 private:
  absl::Status Use(const std::string& certificate, const std::string& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string certificate_source_, key_source_;
  const absl::Duration reload_;
  mutable absl::Mutex mutex_;
  // None where the system has no files in memory: gRPC reads the folder's then.
  std::optional<MemoryFile> certificate_file_ ABSL_GUARDED_BY(mutex_), key_file_ ABSL_GUARDED_BY(mutex_);
  std::string certificate_ ABSL_GUARDED_BY(mutex_), key_ ABSL_GUARDED_BY(mutex_);
  std::string said_ ABSL_GUARDED_BY(mutex_);  // the trouble that was logged last; empty: none since
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::string certificate_path_, key_path_;  // set by the constructor
  std::thread thread_;
};

}  // namespace lvrpo
