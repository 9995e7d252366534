#pragma once

#include "algorithm/image_sampler.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/learner.pb.h"

namespace lvrpo {

// How a run's configuration, which has been checked, samples images; `window` is each group's own.
// absl::BadStatusOrAccess for an unknown kernel.
ImageSampleOptions SampleOptions(const v1::RolloutConfig& rollout, const Window& window);

// How a group was sampled, as far as evaluating it again needs to know. The same error: a learner compares a
// group's settings with the configuration's first.
ImageSampleOptions SampleOptions(const v1::ImageSettings& settings);

}  // namespace lvrpo
