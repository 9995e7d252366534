#include "common/hash.h"

#include <openssl/evp.h>
#include <zlib.h>

#include "absl/strings/escaping.h"

namespace lvrpo {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr);
}

Sha256::~Sha256() = default;

void Sha256::Update(const void* data, size_t size) { EVP_DigestUpdate(context_->evp, data, size); }

std::string Sha256::FinishHex() {
  unsigned char digest[32];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->evp, digest, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.FinishHex();
}

uint32_t Crc32(absl::string_view bytes) {
  uLong crc = crc32(0, nullptr, 0);
  // zlib takes 32-bit sizes.
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(bytes.size(), size_t{1} << 30);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(size));
    bytes.remove_prefix(size);
  }
  return static_cast<uint32_t>(crc);
}

uint64_t StableHash64(absl::string_view bytes) {
  return std::stoull(Sha256Hex(bytes).substr(0, 16), nullptr, 16);
}

}  // namespace lvrpo
