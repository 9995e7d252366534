#include "common/net/introduction.h"

#include "common/version.h"

namespace lvrpo {

v1::Build OwnBuild() {
  v1::Build build;
  build.set_version(kVersion);
  build.set_commit(kCommit);
  build.set_protocol(kProtocol);
  build.set_run_format(kRunFormat);
  return build;
}

}  // namespace lvrpo
