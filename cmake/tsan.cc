// What ThreadSanitizer must know about libraries that are not instrumented; linked into each executable of a
// TSan build.
//
// Of Debian's Abseil TSan sees neither locks nor unlocks, and would call every access under an absl::Mutex a
// race. The definitions below stand in front of the library's (gRPC calls them too), say what they do and
// call the library's. They cover the methods that gRPC and this project use; add others when they are used.
// Between pre and post TSan ignores what a thread reads: the conditions of all waiters, evaluated by whoever
// holds the mutex.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"

// What other libraries touch (gRPC above all) they may have synchronised in ways that TSan did not see.
extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1:second_deadlock_stack=1";
}

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

// The library's own definition. `name` without the namespace, which is "debian3" in Debian 12.
template <typename Function>
Function* Library(const char* name) {
  char mangled[128];
  std::snprintf(mangled, sizeof(mangled), "_ZN4absl7debian3%s", name);
  void* found = dlsym(RTLD_NEXT, mangled);
  if (found == nullptr) {
    std::fprintf(stderr, "%s: no %s in the Abseil that is linked\n", __FILE__, mangled);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

// Announces that `mutex` is given up and taken again around `wait`.
template <typename Wait>
auto Waiting(Mutex* mutex, Wait wait) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  struct Taken {
    Mutex* mutex;
    ~Taken() { __tsan_mutex_post_lock(mutex, 0, 0); }
  } taken{mutex};
  return wait();
}

}  // namespace

void Mutex::Lock() {
  static auto* const library = Library<void(Mutex*)>("5Mutex4LockEv");
  __tsan_mutex_pre_lock(this, 0);
  library(this);
  __tsan_mutex_post_lock(this, 0, 0);
}

bool Mutex::TryLock() {
  static auto* const library = Library<bool(Mutex*)>("5Mutex7TryLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
  const bool taken = library(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_try_lock | (taken ? 0 : __tsan_mutex_try_lock_failed), 0);
  return taken;
}

void Mutex::Unlock() {
  static auto* const library = Library<void(Mutex*)>("5Mutex6UnlockEv");
  __tsan_mutex_pre_unlock(this, 0);
  library(this);
  __tsan_mutex_post_unlock(this, 0);
}

void Mutex::Await(const Condition& condition) {
  static auto* const library = Library<void(Mutex*, const Condition&)>("5Mutex5AwaitERKNS0_9ConditionE");
  Waiting(this, [&] { library(this, condition); });
}

bool Mutex::AwaitWithTimeout(const Condition& condition, absl::Duration timeout) {
  static auto* const library = Library<bool(Mutex*, const Condition&, absl::Duration)>(
      "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  return Waiting(this, [&] { return library(this, condition, timeout); });
}

// Of Notification::WaitForNotification.
void Mutex::LockWhen(const Condition& condition) {
  static auto* const library = Library<void(Mutex*, const Condition&)>("5Mutex8LockWhenERKNS0_9ConditionE");
  __tsan_mutex_pre_lock(this, 0);
  library(this, condition);
  __tsan_mutex_post_lock(this, 0, 0);
}

// Of Notification::WaitForNotificationWithTimeout.
bool Mutex::LockWhenWithTimeout(const Condition& condition, absl::Duration timeout) {
  static auto* const library = Library<bool(Mutex*, const Condition&, absl::Duration)>(
      "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_mutex_pre_lock(this, 0);
  const bool held = library(this, condition, timeout);
  __tsan_mutex_post_lock(this, 0, 0);
  return held;
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const library = Library<void(CondVar*, Mutex*)>("7CondVar4WaitEPNS0_5MutexE");
  Waiting(mutex, [&] { library(this, mutex); });
}

// WaitWithTimeout of the library calls this.
bool CondVar::WaitWithDeadline(Mutex* mutex, absl::Time deadline) {
  static auto* const library =
      Library<bool(CondVar*, Mutex*, absl::Time)>("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  return Waiting(mutex, [&] { return library(this, mutex, deadline); });
}

ABSL_NAMESPACE_END
}  // namespace absl
