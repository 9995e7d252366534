#include "tests/testing/turns.h"

#include <algorithm>
#include <utility>

namespace lvrpo {

Turns::~Turns() {
  while (!turns_.empty()) End(std::string(turns_.front().owner));
}

void Turns::Schedule(Turn& turn, absl::Duration delay) {
  turn.wakes = clock_.Now() + std::max(delay, absl::ZeroDuration());
  turn.order = random_.Next();
}

void Turns::Start(const std::string& owner, std::function<void()> program) {
  Turn& turn = turns_.emplace_back();
  turn.owner = owner;
  turn.body = std::move(program);
  Schedule(turn, absl::ZeroDuration());
  turn.thread = std::thread([this, &turn] { Run(turn); });
}

void Turns::After(const std::string& owner, absl::Duration delay, std::function<void()> action) {
  Turn& turn = turns_.emplace_back();
  turn.owner = owner;
  turn.body = std::move(action);
  Schedule(turn, delay);
}

void Turns::AwaitTurn(Turn* turn) {
  absl::MutexLock lock(&mutex_);
  const auto mine = [this, turn]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return holder_ == turn; };
  mutex_.Await(absl::Condition(&mine));
}

void Turns::HandTo(Turn* turn) {
  absl::MutexLock lock(&mutex_);
  holder_ = turn;
}

void Turns::Run(Turn& program) {
  AwaitTurn(&program);
  try {
    if (!program.ending) program.body();
  } catch (const Ended&) {
  }
  program.over = true;
  HandTo(program.resumed_by);
}

void Turns::Resume(Turn& program) {
  Turn* const before = std::exchange(active_, &program);
  const std::string current = std::exchange(current_, program.owner);
  program.resumed_by = before;
  HandTo(&program);
  AwaitTurn(before);
  active_ = before;
  current_ = current;
  if (program.over) program.thread.join();
}

void Turns::Sleep(absl::Duration duration) {
  Turn& program = *active_;
  Schedule(program, duration);
  HandTo(program.resumed_by);
  AwaitTurn(&program);
  if (program.ending) throw Ended();
}

void Turns::End(const std::string& owner) {
  for (auto turn = turns_.begin(); turn != turns_.end();) {
    if (turn->owner != owner || &*turn == active_) {
      ++turn;
      continue;
    }
    if (turn->thread.joinable()) {
      turn->ending = true;
      Resume(*turn);
    }
    turn = turns_.erase(turn);
  }
}

std::list<Turns::Turn>::iterator Turns::Earliest() {
  return std::min_element(turns_.begin(), turns_.end(), [](const Turn& a, const Turn& b) {
    return std::pair(a.wakes, a.order) < std::pair(b.wakes, b.order);
  });
}

bool Turns::Next() {
  if (turns_.empty()) return false;
  const auto next = Earliest();
  if (next->wakes > clock_.Now()) clock_.Advance(next->wakes - clock_.Now());
  if (next->thread.joinable()) {
    Resume(*next);
    if (next->over) turns_.erase(next);
    return true;
  }
  current_ = next->owner;
  const std::function<void()> action = std::move(next->body);
  turns_.erase(next);
  try {
    action();
  } catch (const Ended&) {
  }
  current_.clear();
  return true;
}

}  // namespace lvrpo
