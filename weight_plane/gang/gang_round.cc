#include "weight_plane/gang/gang_round.h"

#include <algorithm>

namespace lvrpo {
namespace {

const GangAsk* Find(const std::vector<GangAsk>& asks, const GangWorker& worker) {
  const auto found =
      std::find_if(asks.begin(), asks.end(), [&](const GangAsk& ask) { return ask.worker == worker; });
  return found == asks.end() ? nullptr : &*found;
}

NcclMeans OfAll(NcclMeans means, const std::vector<GangAsk>& asks) {
  for (const GangAsk& ask : asks) {
    means.shrink = means.shrink && ask.member.can_shrink();
    means.grow = means.grow && ask.member.can_grow();
  }
  return means;
}

}  // namespace

Gathered Gather(const Gathering& gathering) {
  Gathered gathered;
  absl::Time first = absl::InfiniteFuture();
  std::set<std::string> late = gathering.expected;
  for (const GangAsk& ask : gathering.asks) {
    if (gathering.now - ask.last > gathering.silence) continue;
    first = std::min(first, ask.first);
    late.erase(ask.worker.member_id);
    gathered.there.push_back(ask);
  }
  if (gathered.there.empty()) return gathered;
  const bool all = late.empty() && !gathering.expected.empty();
  gathered.begin = all || gathering.now - first >= gathering.patience;
  gathered.late.assign(late.begin(), late.end());
  return gathered;
}

GangForm ChooseForm(const RootGang& root, const NcclMeans& root_can, const std::vector<GangAsk>& there) {
  GangForm form;
  bool broken = root.broken;
  for (size_t i = 0; i < root.workers.size(); ++i) {
    const GangAsk* const ask = root.gang == 0 ? nullptr : Find(there, root.workers[i]);
    if (ask == nullptr || ask->member.gang() != root.gang) {
      form.gone.push_back(static_cast<int>(i) + 1);
    } else {
      form.ranks.push_back(*ask);
      broken = broken || ask->member.broken();
    }
  }
  const size_t stay = form.ranks.size();
  for (const GangAsk& ask : there) {
    if (Find(form.ranks, ask.worker) == nullptr) form.ranks.push_back(ask);
  }
  const bool some_are_gone = !form.gone.empty(), some_are_new = form.ranks.size() > stay;
  const NcclRebuild rebuild = ChooseRebuild(OfAll(root_can, there), some_are_gone, some_are_new);
  if (stay > 0 && !some_are_gone && !some_are_new && !broken) {
    form.way = v1::GangPlan::KEEP;
  } else if (stay > 0 && rebuild == NcclRebuild::kShrink) {
    form.way = v1::GangPlan::SHRINK;
  } else if (stay > 0 && rebuild == NcclRebuild::kGrow && !broken) {
    form.way = v1::GangPlan::GROW;
  }
  if (form.way != v1::GangPlan::SHRINK) form.gone.clear();
  return form;
}

}  // namespace lvrpo
