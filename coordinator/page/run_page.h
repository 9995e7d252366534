#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/telemetry/metrics.h"
#include "coordinator/page/samples.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// What the page shows of a run's status.
nlohmann::json StatusJson(const v1::GetStatusResponse& status);

// Empty, or why this client does not get the page: it shows prompts, images and addresses in plain text, so
// it is for clients on this machine, or with `insecure` for all. A page of another site that was made to
// resolve to this machine (DNS rebinding) is none of them.
std::string WhyNoPage(const PageRequest& request, bool insecure);

// The live page: read-only, from memory and the run folder, without anything from elsewhere.
//   /               the page, /page.css, /page.js
//   /api/status     StatusJson, and how large the pools should be
//   /api/curves     figures of all steps (coordinator/page/curves.h)
//   /api/samples    held-out scores and the newest samples (coordinator/page/samples.h)
//   /images/<evaluation>/<file>
// One thread.
class RunPage {
 public:
  struct Sources {
    std::string run_dir;
    bool insecure = false;
    // Called on the thread of Answer.
    std::function<nlohmann::json()> status, curves;
  };
  explicit RunPage(Sources sources) : sources_(std::move(sources)) {}

  PageAnswer Answer(const PageRequest& request) const;

 private:
  const Sources sources_;
};

}  // namespace lvrpo
