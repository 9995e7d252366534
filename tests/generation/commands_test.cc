#include "model_cli/commands.h"

#include <filesystem>

#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class Commands : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_ / name; }

  struct Result {
    int code;
    std::string out, err;
  };
  // Runs `lvrpo-model ARGUMENTS`.
  Result Run(std::vector<std::string> arguments) const {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    arguments.insert(arguments.begin(), "lvrpo-model");
    std::vector<char*> list;
    for (std::string& argument : arguments) list.push_back(argument.data());
    CLI::App app("test", "lvrpo");
    app.require_subcommand(1);
    const Command commands[] = {AddInspectCommand(app), AddSynthesizeCommand(app), AddExportCommand(app)};
    int code = ParseFlags(app, static_cast<int>(list.size()), list.data()).value_or(-1);
    for (const Command& command : commands) {
      if (code == -1 && command.app->parsed()) code = command.run();
    }
    std::fflush(nullptr);
    return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
  }
  // A small folder at `name`: real names, tiny sizes, but for the autoencoder, whose sizes cannot be chosen.
  std::vector<std::string> Small(const std::string& name) const {
    return {"synthesize", "--like",       "bagel-7b", "--out",         file(name), "--layers",
            "1",          "--hidden",     "32",       "--mlp",         "16",       "--heads",
            "2",          "--kv-heads",   "1",        "--vocabulary",  "300",      "--vit-layers",
            "1",          "--vit-hidden", "16",       "--vit-mlp",     "16",       "--vit-heads",
            "2",          "--vit-side",   "4",        "--latent-side", "4"};
  }

  const TemporaryFolder folder_;
};

TEST_F(Commands, MakeInspectAndExportAModel) {
  Result result = Run(Small("base"));
  ASSERT_EQ(result.code, kExitDone) << result.err;

  result = Run({"inspect", file("base"), "--json", "--trainable", "_moe_gen", "--group-size", "2"});
  ASSERT_EQ(result.code, kExitDone) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["hidden_size"], 32);
  EXPECT_EQ(json["memory"]["options"]["image_size"], 64);
  EXPECT_EQ(json["memory"]["options"]["group_size"], 2);
  EXPECT_THAT(Run({"inspect", file("base")}).out, HasSubstr("rollout worker"));

  // Another model of the same sizes.
  ASSERT_EQ(Run({"synthesize", "--like", file("base"), "--out", file("twin")}).code, kExitDone);
  EXPECT_EQ(*ReadFile(file("twin/ema.safetensors")), *ReadFile(file("base/ema.safetensors")));
  EXPECT_EQ(*ReadFile(file("twin/tokenizer.json")), *ReadFile(file("base/tokenizer.json")));

  result = Run({"export", "--base", file("base"), "--weights", file("twin/ema.safetensors"), "--out",
                file("out"), "--dtype", "fp32", "--max-shard-size", "20KB"});
  ASSERT_EQ(result.code, kExitDone) << result.err;
  EXPECT_TRUE(std::filesystem::exists(file("out/model.safetensors.index.json")));
  EXPECT_EQ(Run({"inspect", file("out")}).code, kExitDone);
}

TEST_F(Commands, ExportGivesAModelExperts) {
  ASSERT_EQ(Run(Small("base")).code, kExitDone);
  const std::vector<std::string> arguments = {"export", "--router", "top_k", "--experts", "4", "--base"};
  const auto with = [&](const std::string& base, const std::string& out) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {file(base), "--out", file(out)});
    return all;
  };
  Result result = Run(with("base", "routed"));
  ASSERT_EQ(result.code, kExitDone) << result.err;
  EXPECT_THAT(result.out, HasSubstr("each token routed to 2 of 4 experts"));
  result = Run({"inspect", file("routed"), "--json"});
  ASSERT_EQ(result.code, kExitDone) << result.err;
  EXPECT_THAT(result.out, HasSubstr("experts and routers"));
  result = Run(with("routed", "again"));
  EXPECT_EQ(result.code, kExitData);
  EXPECT_THAT(result.err, HasSubstr("the base's router is top_k already"));
}

TEST_F(Commands, ExitCodesSayWhoseFaultItWas) {
  const Result missing = Run({"inspect", file("nowhere")});
  EXPECT_EQ(missing.code, kExitData);
  EXPECT_THAT(missing.err, HasSubstr("lvrpo inspect: "));
  EXPECT_THAT(missing.err, HasSubstr("nowhere/config.json"));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{},
        {"paint"},
        {"inspect"},
        {"inspect", "a", "--dtype", "fp8"},
        {"synthesize", "--like", "bagel-7b"},
        {"export", "--base", "a", "--out", "b", "--max-shard-size", "big"}})
    EXPECT_EQ(Run(wrong).code, kExitUsage);
  EXPECT_EQ(Run({"inspect", "--help"}).code, kExitDone);
  std::filesystem::create_directory(file("there"));
  EXPECT_EQ(Run(Small("there")).code, kExitData);
}

}  // namespace
}  // namespace lvrpo
