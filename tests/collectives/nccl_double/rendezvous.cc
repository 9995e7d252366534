#include "tests/collectives/nccl_double/rendezvous.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <thread>

namespace lvrpo::nccl_double {
namespace {

struct Reply {
  int used_before;
  Member table[kMostRanks];
};

// Holds this process's meetings in a thread, until the process ends.
class Root {
 public:
  static Root& Get() {
    static Root* const root = new Root;
    return *root;
  }
  const std::string& address() const { return address_; }

 private:
  struct Guest {
    Fd fd;
    Member member;
  };

  Root() : address_(NewAddress()), listener_(Listen(address_)) {
    std::thread([this] { Run(); }).detach();
  }

  void Run() {
    for (;;) {
      std::vector<pollfd> polled = {{listener_.get(), POLLIN, 0}};
      for (const Guest& guest : guests_) polled.push_back({guest.fd.get(), POLLIN, 0});
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      // A guest says nothing more: when there is something to read, it has gone.
      for (size_t i = polled.size() - 1; i > 0; --i) {
        if (polled[i].revents != 0) guests_.erase(guests_.begin() + static_cast<int64_t>(i) - 1);
      }
      if (polled[0].revents != 0) Welcome();
    }
  }

  void Welcome() {
    Guest guest = {.fd = Accept(listener_, never_), .member = {}};
    Transfer hello = {
        .fd = guest.fd.get(), .in = reinterpret_cast<char*>(&guest.member), .in_bytes = sizeof(guest.member)};
    if (Exchange({hello}, never_) != Io::kDone) return;
    const std::string meeting = guest.member.meeting;
    const auto is_same = [&](const Guest& other) { return meeting == other.member.meeting; };
    const bool is_twice = std::any_of(guests_.begin(), guests_.end(), [&](const Guest& other) {
      return is_same(other) &&
             (other.member.rank == guest.member.rank || other.member.size != guest.member.size);
    });
    if (is_twice || used_.count(meeting) > 0) return Answer(guest, {.used_before = 1, .table = {}});
    const int size = guest.member.size;
    guests_.push_back(std::move(guest));
    if (std::count_if(guests_.begin(), guests_.end(), is_same) < size) return;
    used_.insert(meeting);
    Reply reply = {};
    for (const Guest& one : guests_) {
      if (is_same(one)) reply.table[one.member.rank] = one.member;
    }
    for (const Guest& one : guests_) {
      if (is_same(one)) Answer(one, reply);
    }
    guests_.erase(std::remove_if(guests_.begin(), guests_.end(), is_same), guests_.end());
  }

  void Answer(const Guest& guest, const Reply& reply) {
    Exchange(
        {{.fd = guest.fd.get(), .out = reinterpret_cast<const char*>(&reply), .out_bytes = sizeof(reply)}},
        never_);
  }

  const std::string address_;
  const Fd listener_;
  const Bell never_;
  // Of the thread alone.
  std::vector<Guest> guests_;
  std::set<std::string> used_;
};

template <size_t kBytes>
void Copy(const std::string& text, char (&to)[kBytes]) {
  std::snprintf(to, kBytes, "%s", text.c_str());
}

}  // namespace

Meeting NewMeeting() {
  static std::atomic<int> count = 0;
  return {.root = Root::Get().address(), .name = "m" + std::to_string(++count)};
}

nccl::UniqueId IdOf(const Meeting& meeting) {
  nccl::UniqueId id = {};
  Copy(meeting.root + "|" + meeting.name, id.internal);
  return id;
}

Meeting MeetingOf(const nccl::UniqueId& id) {
  const std::string text(id.internal, strnlen(id.internal, sizeof(id.internal)));
  const size_t bar = std::min(text.find('|'), text.size());
  return {.root = text.substr(0, bar), .name = bar < text.size() ? text.substr(bar + 1) : ""};
}

Met Meet(const Meeting& meeting, int rank, int size, const std::string& listens_at, const Bell& stop,
         std::vector<Member>* table) {
  Member hello = {.meeting = {}, .rank = rank, .size = size, .listens_at = {}, .root = {}};
  Copy(meeting.name, hello.meeting);
  Copy(listens_at, hello.listens_at);
  Copy(Root::Get().address(), hello.root);
  const Fd fd = Connect(meeting.root);
  if (!fd) return Met::kNobodyThere;
  Reply reply;
  const Io io = Exchange({{.fd = fd.get(),
                           .out = reinterpret_cast<const char*>(&hello),
                           .out_bytes = sizeof(hello),
                           .in = reinterpret_cast<char*>(&reply),
                           .in_bytes = sizeof(reply)}},
                         stop);
  if (io == Io::kStopped) return Met::kStopped;
  if (io == Io::kClosed) return Met::kNobodyThere;
  if (reply.used_before != 0) return Met::kUsedBefore;
  table->assign(reply.table, reply.table + size);
  return Met::kAll;
}

}  // namespace lvrpo::nccl_double
