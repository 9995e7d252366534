#include "coordinator/request_check.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/names.h"
#include "common/net/host_port.h"
#include "common/words/words.h"

namespace lvrpo {
namespace {

constexpr size_t kName = 128, kDigest = 128, kTerm = 256, kText = 300, kDetail = 1000, kPlace = 1200,
                 kMetricName = 64;
constexpr int kMostRanks = 1024;
constexpr int kTerms = 64, kHeld = 4096, kScores = 256, kMetrics = 4096, kLogged = 64;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

bool IsMetricName(const std::string& text) {
  return !text.empty() && text.size() <= kMetricName && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ' ';
  });
}

// Printable ASCII without blanks.
bool IsToken(const std::string& text, size_t length) {
  return text.size() <= length && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c));
         });
}

bool IsPrintable(const std::string& text, size_t length) {
  return text.size() <= length &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

absl::Status CheckPlace(const std::string& id, const v1::LearnerPlace& place) {
  const int ranks = std::max(1, place.ranks());
  if (place.ranks() < 0 || ranks > kMostRanks || place.rank() < 0 || place.rank() >= ranks) {
    return Wrong(absl::StrCat(id, ": there is no rank ", place.rank(), " of ", place.ranks(),
                              "; ranks are 0 to N-1 of at most ", kMostRanks));
  }
  if (!IsToken(place.learner_epoch(), kDigest)) return Wrong(absl::StrCat(id, ": no learner epoch is that"));
  if (place.rank() > 0 || ranks == 1) return absl::OkStatus();
  if (place.rendezvous().size() > kTerm) return Wrong(absl::StrCat(id, ": the rendezvous is too long"));
  const absl::Status rendezvous = ParseHostPort(place.rendezvous(), AddressUse::kDial).status();
  return rendezvous.ok()
             ? absl::OkStatus()
             : Wrong(absl::StrCat(id, ": the rendezvous: ", Tidy(std::string(rendezvous.message()))));
}

// Their names become names of metrics.
absl::Status CheckLogged(const v1::SampleSummary& sample) {
  if (sample.logged_size() > kLogged)
    return Wrong(absl::StrCat("a sample of ", sample.logged_size(), " logged scores; at most ", kLogged));
  for (const v1::ComponentScore& score : sample.logged()) {
    if (!IsMetricName(score.name())) {
      return Wrong(absl::StrCat("a logged score's name is 1 to ", kMetricName,
                                " letters, digits, '.', '_', '-' and blanks, not \"",
                                OneLine(score.name(), 40), "\""));
    }
    if (!std::isfinite(score.score()))
      return Wrong(absl::StrCat("the logged score '", score.name(), "' is not finite"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRegister(const v1::RegisterRequest& request) {
  if (!IsName(request.member_id(), kMostMemberId)) {
    return Wrong(absl::StrCat("member_id: ", NameRule(kMostMemberId), ", not \"",
                              OneLine(request.member_id(), 40), "\""));
  }
  const std::string& id = request.member_id();
  if (std::find(std::begin(kRoles), std::end(kRoles), request.role()) == std::end(kRoles)) {
    return Wrong(absl::StrCat(id, ": there is no role ", static_cast<int>(request.role())));
  }
  const bool serves = request.role() == v1::ROLE_LEARNER || request.role() == v1::ROLE_REWARD_SERVER;
  if (serves || !request.address().empty()) {
    if (request.address().size() > kTerm) return Wrong(absl::StrCat(id, ": the address is too long"));
    const absl::Status address = ParseHostPort(request.address(), AddressUse::kDial).status();
    if (!address.ok()) return Wrong(absl::StrCat(id, ": ", Tidy(std::string(address.message()))));
  }
  if (request.role() == v1::ROLE_LEARNER) {
    if (absl::Status status = CheckPlace(id, request.learner()); !status.ok()) return status;
  }
  if (!IsToken(request.process(), kName)) return Wrong(absl::StrCat(id, ": the process token is not one"));
  if (!IsPrintable(request.build().version(), kName) || !IsPrintable(request.build().commit(), kName))
    return Wrong(absl::StrCat(id, ": its version is not one"));
  if (request.contract_size() > kTerms)
    return Wrong(absl::StrCat(id, ": a contract of ", request.contract_size(), " terms; at most ", kTerms));
  for (const auto& [key, value] : request.contract()) {
    if (key.empty() || value.empty() || !IsPrintable(key, kTerm) || !IsPrintable(value, kTerm)) {
      return Wrong(
          absl::StrCat(id, ": the contract's term \"", OneLine(key, 40), "\" is not a name and a digest"));
    }
  }
  if (request.held_size() > kHeld)
    return Wrong(absl::StrCat(id, ": holds ", request.held_size(), " leases; at most ", kHeld));
  return absl::OkStatus();
}

absl::Status CheckVersion(const v1::PolicyVersion& version) {
  if (version.number() < 0) return Wrong(absl::StrCat("there is no version ", version.number()));
  if (!IsToken(version.digest(), kDigest)) return Wrong("a version's digest is not one");
  return absl::OkStatus();
}

absl::Status CheckSubmit(const v1::SubmitGroupRequest& request) {
  if (absl::Status status = CheckVersion(request.version()); !status.ok()) return status;
  if (!IsToken(request.trajectory_digest(), kDigest)) return Wrong("a group's digest is not one");
  for (const v1::SampleSummary& sample : request.samples()) {
    if (sample.scores_size() > kScores)
      return Wrong(absl::StrCat("a sample of ", sample.scores_size(), " scores; at most ", kScores));
    if (absl::Status status = CheckLogged(sample); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void TidyTexts(v1::SubmitGroupRequest* request) {
  request->set_kind(OneLine(request->kind(), kName));
  for (v1::SampleSummary& sample : *request->mutable_samples()) {
    for (auto* scores : {sample.mutable_scores(), sample.mutable_logged()}) {
      for (v1::ComponentScore& score : *scores) {
        score.set_name(OneLine(score.name(), kName));
        score.set_detail(OneLine(score.detail(), kDetail));
        score.set_scorer_digest(OneLine(score.scorer_digest(), kTerm));
      }
    }
  }
}

absl::Status CheckCommit(const v1::CommitStepRequest& request) {
  if (absl::Status status = CheckVersion(request.new_version()); !status.ok()) return status;
  if (request.metrics_size() > kMetrics)
    return Wrong(absl::StrCat("a step of ", request.metrics_size(), " figures; at most ", kMetrics));
  for (const auto& [name, value] : request.metrics()) {
    if (name.empty() || !IsPrintable(name, kName))
      return Wrong(absl::StrCat("a step's figure \"", OneLine(name, 40), "\" has no proper name"));
  }
  return absl::OkStatus();
}

absl::Status CheckLostGroups(const v1::ReportLostGroupsRequest& request) {
  for (const v1::LostGroup& group : request.groups()) {
    if (group.reason() != v1::RETIRE_TRAJECTORY_LOST && group.reason() != v1::RETIRE_UNTRAINABLE)
      return Wrong(absl::StrCat("ordinal ", group.ordinal(), " is lost or untrainable, and nothing else"));
  }
  return absl::OkStatus();
}

absl::Status CheckCheckpoint(const v1::RecordCheckpointRequest& request) {
  constexpr char kFolder[] = "checkpoints/";
  if (request.step() < 0) return Wrong(absl::StrCat("a checkpoint of ", request.step(), " steps"));
  if (request.path().rfind(kFolder, 0) != 0 || !IsName(request.path().substr(sizeof(kFolder) - 1), kName)) {
    return Wrong(absl::StrCat("a checkpoint's path is checkpoints/NAME in the run folder, not \"",
                              OneLine(request.path(), 40), "\""));
  }
  if (!IsToken(request.digest(), kDigest)) return Wrong("a checkpoint's digest is not one");
  if (!request.weights_digest().empty() && !IsToken(request.weights_digest(), kDigest))
    return Wrong("the digest of a checkpoint's weights is not one");
  if (!request.store().empty() &&
      (request.store().rfind("s3://", 0) != 0 || !IsPrintable(request.store(), kPlace)))
    return Wrong("a checkpoint's place in an object store is s3://bucket/key");
  if (request.has_reward() && !std::isfinite(request.reward()))
    return Wrong("a checkpoint's reward is not finite");
  return absl::OkStatus();
}

absl::Status CheckEvaluation(const v1::EvaluationRecord& evaluation) {
  const auto share = [](double value) { return value >= 0 && value <= 1; };  // false of NaN
  if (evaluation.step() < 0) return Wrong(absl::StrCat("there is no step ", evaluation.step()));
  if (!IsToken(evaluation.digest(), kDigest)) return Wrong("the digest of evaluated weights is not one");
  if (!evaluation.has_score() && !evaluation.has_text_accuracy())
    return Wrong("an evaluation has a score of images, or of questions");
  if (evaluation.images() < 0 || evaluation.pairs() < 0 || evaluation.questions() < 0 ||
      evaluation.pairs() > evaluation.images())
    return Wrong("an evaluation's numbers of images and questions are not possible");
  if (!share(evaluation.score()) || !share(evaluation.standard_error()) || !share(evaluation.text_accuracy()))
    return Wrong("an evaluation's scores are shares, 0 to 1");
  if (!(std::abs(evaluation.gain()) <= 1) || !share(evaluation.gain_half_width() / 2))
    return Wrong("an evaluation's gain is a difference of shares, -1 to 1");
  return absl::OkStatus();
}

std::string Tidy(const std::string& text) { return OneLine(text, kText); }

}  // namespace lvrpo
