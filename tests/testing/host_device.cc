#include "tests/testing/host_device.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/testing/host_stream.h"

namespace lvrpo {
namespace {

class QueueThread : public HostStream {
 public:
  QueueThread() : thread_([this] { Run(); }) {}
  ~QueueThread() override {
    Queue(nullptr);
    thread_.join();
  }

  void Queue(std::function<void()> work) override {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(std::move(work));
    changed_.SignalAll();
  }

 private:
  void Run() {
    for (;;) {
      std::function<void()> work;
      {
        absl::MutexLock lock(&mutex_);
        while (queue_.empty()) changed_.Wait(&mutex_);
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      if (!work) return;
      work();
    }
  }

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// A mark; streams that wait for it hold it too.
class Mark {
 public:
  void Reach() {
    absl::MutexLock lock(&mutex_);
    reached_ = true;
    changed_.SignalAll();
  }
  void Wait() {
    absl::MutexLock lock(&mutex_);
    while (!reached_) changed_.Wait(&mutex_);
  }
  bool reached() {
    absl::MutexLock lock(&mutex_);
    return reached_;
  }

 private:
  absl::Mutex mutex_;
  absl::CondVar changed_;
  bool reached_ ABSL_GUARDED_BY(mutex_) = false;
};

using SharedMark = std::shared_ptr<Mark>;

HostStream* Of(DeviceStream stream) { return static_cast<HostStream*>(stream.handle); }
SharedMark& Of(DeviceEvent event) { return *static_cast<SharedMark*>(event.handle); }

// The default stream has nothing in it.
void QueueOrRun(DeviceStream stream, std::function<void()> work) {
  if (stream.handle == nullptr) {
    work();
  } else {
    Of(stream)->Queue(std::move(work));
  }
}

}  // namespace

absl::Status HostDevice::Check() const {
  return broken_ ? absl::InternalError("the host device is broken") : absl::OkStatus();
}

absl::Status HostDevice::MakeCurrent() { return Check(); }

absl::StatusOr<void*> HostDevice::Allocate(int64_t bytes) {
  if (absl::Status status = Check(); !status.ok()) return status;
  ++held_;
  return std::calloc(1, static_cast<size_t>(bytes));
}

absl::Status HostDevice::Free(void* memory) {
  --held_;
  std::free(memory);
  return Check();
}

absl::Status HostDevice::CopyAsync(void* to, const void* from, int64_t bytes, DeviceStream stream) {
  QueueOrRun(stream, [=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
  return Check();
}

absl::StatusOr<DeviceStream> HostDevice::CreateStream() {
  if (absl::Status status = Check(); !status.ok()) return status;
  ++held_;
  return DeviceStream{static_cast<HostStream*>(new QueueThread)};
}

absl::Status HostDevice::DestroyStream(DeviceStream stream) {
  --held_;
  delete Of(stream);
  return Check();
}

absl::StatusOr<DeviceEvent> HostDevice::Record(DeviceStream stream) {
  if (absl::Status status = Check(); !status.ok()) return status;
  ++held_;
  auto* const mark = new SharedMark(std::make_shared<Mark>());
  QueueOrRun(stream, [reached = *mark] { reached->Reach(); });
  return DeviceEvent{mark};
}

absl::StatusOr<bool> HostDevice::IsDone(DeviceEvent event) {
  if (absl::Status status = Check(); !status.ok()) return status;
  return Of(event)->reached();
}

absl::Status HostDevice::WaitFor(DeviceStream stream, DeviceEvent event) {
  QueueOrRun(stream, [mark = Of(event)] { mark->Wait(); });
  return Check();
}

void HostDevice::Release(DeviceEvent event) {
  --held_;
  delete &Of(event);
}

}  // namespace lvrpo
