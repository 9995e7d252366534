#include "coordinator/state/digests.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace lvrpo {

std::string IdentityDigest(const RunIdentity& identity) {
  return Sha256Hex(absl::StrCat("run\n", identity.run_id, "\n", identity.config_digest, "\n",
                                identity.total_steps, "\n", identity.group_size, "\n",
                                identity.groups_per_step, "\n", identity.max_staleness, "\n",
                                identity.filter_zero_variance));
}

std::string RecordBytes(const google::protobuf::MessageLite& record) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    record.SerializeToCodedStream(&coded);
  }
  return bytes;
}

std::string RecordDigest(absl::string_view bytes) { return Sha256Hex(bytes); }

std::string GroupsDigest(const std::vector<std::string>& records) {
  Sha256 all;
  for (const std::string& record : records) all.Update(RecordDigest(record));
  return all.FinishHex();
}

}  // namespace lvrpo
