#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "proto/lvrpo/v1/common.pb.h"
#include "proto/lvrpo/v1/records.pb.h"

namespace lvrpo {

// The name of an enum's value without the prefix that its zero value has, in lower case; "unknown" for a
// number that the schema does not name.
std::string WordOf(const google::protobuf::EnumDescriptor& type, int value);

// How a value of the schema is called in metric labels, status, events and messages:
// Word(v1::RETIRE_ZERO_VARIANCE) is "zero_variance", Word(v1::PLANNED) "planned". Pure.
template <class Enum>
std::string Word(Enum value) {
  return WordOf(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

// A role in labels: "rollout" of ROLE_ROLLOUT_WORKER, "reward" of ROLE_REWARD_SERVER, otherwise as above.
std::string Word(v1::Role role);

// The same in a sentence: "rollout worker".
std::string RoleName(v1::Role role);

// All roles, and the states of a group on its way to a step, in order.
inline constexpr v1::Role kRoles[] = {v1::ROLE_ROLLOUT_WORKER, v1::ROLE_REWARD_SERVER, v1::ROLE_LEARNER,
                                      v1::ROLE_EVALUATION};
inline constexpr v1::GroupState kOpenStates[] = {v1::PLANNED, v1::LEASED, v1::COMPLETE, v1::ASSIGNED};

}  // namespace lvrpo
