#pragma once

#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/reasons.pb.h"

namespace lvrpo {

// What becomes of a group that did not come to a step.
enum class Consequence {
  kPlanAgain,  // says nothing about the prompt: the same ordinal again, however often
  kFail,       // the same ordinal again, until that has failed too often
  kRetire,     // no other attempt can do better: another ordinal takes its place
};

struct Outcome {
  Consequence consequence = Consequence::kPlanAgain;
  v1::RetireReason reason = v1::RETIRE_UNSPECIFIED;  // recorded when it is retired
};

// Of a lease that a worker returns. Pure, as the others.
Outcome OfReturn(v1::ReturnReason reason);

// Of a group that was submitted or given up.
Consequence OfFault(v1::RetireReason reason);

// Why a group of samples may not be trained on; RETIRE_UNSPECIFIED when it may.
v1::RetireReason SamplesFault(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples);

// max - min <= 1e-6 in every component that the samples have.
bool HasZeroVariance(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples);

}  // namespace lvrpo
