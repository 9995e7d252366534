#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/random.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {

// Several programs that run one at a time, in an order that only the seed decides: each goes on until it
// sleeps, then the one that wakes up next has its turn, and the clock jumps to that moment. Who wakes up at
// the same moment is drawn. A program has a dedicated thread, so that product code with loops and waits of
// its own runs as it is. Made and used by one thread.
class Turns {
 public:
  // Thrown out of Sleep() when the program is ended: its objects go, and nothing else of it happens. A
  // program that ends itself throws it.
  struct Ended {};

  Turns(FakeClock& clock, uint64_t seed) : clock_(clock), random_(seed) {}
  ~Turns();
  Turns(const Turns&) = delete;

  // A program of `owner`; it has its first turn now, or later.
  void Start(const std::string& owner, std::function<void()> program);
  // `action` of `owner`, once `delay` has passed. It must not sleep.
  void After(const std::string& owner, absl::Duration delay, std::function<void()> action);
  // Of the program whose turn it is.
  void Sleep(absl::Duration duration);
  // Ends the programs and actions of `owner` at once, except the one whose turn it is.
  void End(const std::string& owner);
  // Whose turn it is; empty between turns.
  const std::string& current() const { return current_; }

  // One turn. False when nobody is left.
  bool Next();

 private:
  struct Turn {
    std::string owner;
    absl::Time wakes;
    uint64_t order = 0;
    std::function<void()> body;  // a program's, or an action
    std::thread thread;          // of a program
    Turn* resumed_by = nullptr;  // who goes on when it sleeps; null: Next()
    bool ending = false, over = false;
  };

  std::list<Turn>::iterator Earliest();
  void Schedule(Turn& turn, absl::Duration delay);
  // Lets the program have its turn, until it sleeps or is over.
  void Resume(Turn& program);
  void Run(Turn& program);
  void HandTo(Turn* turn);
  void AwaitTurn(Turn* turn);

  FakeClock& clock_;
  Random random_;
  std::list<Turn> turns_;
  std::string current_;
  Turn* active_ = nullptr;  // the program whose turn it is; null: Next(), or an action
  absl::Mutex mutex_;       // orders the threads: all of the above is used by one at a time
  Turn* holder_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace lvrpo
