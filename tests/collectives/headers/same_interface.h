#pragma once

#include <type_traits>

// Whether a C type declared by us is called alike as one of a published header: arithmetic types alike,
// enumerations and int of one size, pointers to such or to whatever structure. Structures by value have the
// same size.
namespace lvrpo {

template <typename Ours, typename Theirs>
constexpr bool Alike() {
  if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) {
    using OurTarget = std::remove_pointer_t<Ours>;
    using TheirTarget = std::remove_pointer_t<Theirs>;
    if constexpr (std::is_const_v<OurTarget> != std::is_const_v<TheirTarget>) {
      return false;
    } else if constexpr (std::is_class_v<OurTarget> || std::is_void_v<OurTarget>) {
      return std::is_class_v<TheirTarget> || std::is_void_v<TheirTarget>;
    } else {
      return Alike<std::remove_const_t<OurTarget>, std::remove_const_t<TheirTarget>>();
    }
  } else if constexpr (std::is_enum_v<Ours>) {
    return std::is_enum_v<Theirs> && sizeof(Ours) == sizeof(Theirs);
  } else if constexpr (std::is_class_v<Ours> && std::is_class_v<Theirs>) {
    return sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs);
  } else {
    return std::is_same_v<Ours, Theirs>;
  }
}

template <typename Ours, typename Theirs>
struct SameInterface : std::false_type {};

template <typename OurResult, typename... OurArguments, typename TheirResult, typename... TheirArguments>
requires(sizeof...(OurArguments) ==
         sizeof...(TheirArguments)) struct SameInterface<OurResult (*)(OurArguments...),
                                                         TheirResult (*)(TheirArguments...)>
    : std::bool_constant<Alike<OurResult, TheirResult>() && (Alike<OurArguments, TheirArguments>() && ...)> {
};

}  // namespace lvrpo
