#pragma once

#include <google/protobuf/util/json_util.h>

#include <string>

#include "gtest/gtest.h"
#include "verifiers/rules/rules.h"

namespace lvrpo {

// A rule as prompt files have it: RuleOf(R"({"length": {"most": 3}})").
inline v1::Rule RuleOf(const std::string& json) {
  v1::Rule rule;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &rule);
  EXPECT_TRUE(parsed.ok()) << json << ": " << parsed.message();
  return rule;
}

// A verdict, checked for what every verdict promises.
inline Verdict Judged(const v1::Rule& rule, const std::string& text) {
  const absl::StatusOr<Verdict> verdict = VerifyText(rule, text);
  EXPECT_TRUE(verdict.ok()) << verdict.status() << " of " << rule.ShortDebugString();
  if (!verdict.ok()) return {};
  EXPECT_EQ(verdict->holds, verdict->grade == 1) << verdict->grade;
  EXPECT_TRUE(verdict->grade >= 0 && verdict->grade <= 1) << verdict->grade;
  EXPECT_EQ(verdict->holds, verdict->why.empty()) << verdict->why;
  EXPECT_EQ(verdict->why.find('\n'), std::string::npos) << verdict->why;
  return *verdict;
}

// The message with which CheckRule and VerifyText refuse a rule; empty: they take it.
inline std::string Refusal(const v1::Rule& rule) {
  const absl::Status checked = CheckRule(rule);
  const absl::Status judged = VerifyText(rule, "x").status();
  EXPECT_EQ(checked, judged) << rule.ShortDebugString();
  EXPECT_TRUE(checked.ok() || checked.code() == absl::StatusCode::kInvalidArgument) << checked;
  return std::string(checked.message());
}

}  // namespace lvrpo
