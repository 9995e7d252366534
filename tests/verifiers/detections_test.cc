#include "verifiers/images/detections.h"

#include <cmath>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr char kGood[] =
    R"({"width":640,"height":480,"objects":[{"class":"traffic light","score":0.75,"box":[1.5,2,30,40],)"
    R"("color":"red"},{"class":"dog","score":1,"box":[0,0,0,0]}]})";

TEST(Detections, ReadsWhatItDocuments) {
  const auto read = DetectionsFromJson(kGood);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->width, 640);
  EXPECT_EQ(read->height, 480);
  ASSERT_EQ(read->objects.size(), 2u);
  const Detection& first = read->objects[0];
  EXPECT_EQ(first.class_name, "traffic light");
  EXPECT_EQ(first.score, 0.75);
  EXPECT_EQ(first.x0, 1.5);
  EXPECT_EQ(first.y0, 2);
  EXPECT_EQ(first.x1, 30);
  EXPECT_EQ(first.y1, 40);
  EXPECT_EQ(first.color, "red");
  EXPECT_EQ(read->objects[1].color, "");
}

TEST(Detections, AcceptsWhatDetectorsAdd) {
  for (
      const char* json : {
          R"({"width":1,"height":1,"objects":[]})",
          R"({"width":1.0,"height":1,"objects":[],"model":"some detector"})",
          R"({"width":9,"height":9,"objects":[{"class":"a","score":0,"box":[-9,-9,18,18],"mask":[[1]],"id":7}]})",
          R"({"width":9,"height":9,"objects":[{"class":"a","score":0.5,"box":[1,1,2,2],"color":""}]})",
      }) {
    EXPECT_TRUE(DetectionsFromJson(json).ok()) << DetectionsFromJson(json).status();
  }
}

TEST(Detections, RefusalsNameTheMember) {
  const auto with = [](const std::string& object) {
    return R"({"width":64,"height":32,"objects":[{"class":"a","score":1,"box":[1,2,3,4]},)" + object + "]}";
  };
  const auto with_box = [&](const std::string& box) {
    return with(R"({"class":"a","score":1,"box":)" + box + "}");
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "not JSON"},
      {"{", "not JSON"},
      {"[]", "not an object"},
      {"null", "not an object"},
      {"\xFF", "not JSON"},
      {std::string(100000, '['), "not JSON"},
      {R"({"height":1,"objects":[]})", "width is missing"},
      {R"({"width":"1","height":1,"objects":[]})", "width is not a number"},
      {R"({"width":0,"height":1,"objects":[]})", "width is 0; it must be a whole number of 1 to 65535"},
      {R"({"width":1,"height":1.5,"objects":[]})", "height is 1.5"},
      {R"({"width":1,"height":65536,"objects":[]})", "height is 65536"},
      {R"({"width":1,"height":1e300,"objects":[]})", "height is 1e+300"},
      {R"({"width":1,"height":1e999,"objects":[]})", "not JSON"},
      {R"({"width":1,"height":NaN,"objects":[]})", "not JSON"},
      {R"({"width":1,"height":1})", "objects is not a list"},
      {R"({"width":1,"height":1,"objects":{}})", "objects is not a list"},
      {with("3"), "objects[1] is not an object"},
      {with("{}"), "objects[1].class is not a string"},
      {with(R"({"class":"","score":1,"box":[1,2,3,4]})"), "objects[1].class is empty"},
      {with(R"({"class":")" + std::string(129, 'x') + R"(","score":1,"box":[1,2,3,4]})"),
       "objects[1].class has 129 bytes; at most 128 are allowed"},
      {with(R"({"class":"a","score":1,"box":[1,2,3,4],"color":3})"), "objects[1].color is not a string"},
      {with(R"({"class":"a","score":1,"box":[1,2,3,4],"color":")" + std::string(129, 'x') + "\"}"),
       "objects[1].color has 129 bytes"},
      {with(R"({"class":"a","box":[1,2,3,4]})"), "objects[1].score is missing"},
      {with(R"({"class":"a","score":null,"box":[1,2,3,4]})"), "objects[1].score is not a number"},
      {with(R"({"class":"a","score":1.01,"box":[1,2,3,4]})"), "objects[1].score is 1.01; it must be 0 to 1"},
      {with(R"({"class":"a","score":-0.1,"box":[1,2,3,4]})"), "objects[1].score is -0.1"},
      {with(R"({"class":"a","score":1})"), "objects[1].box is not a list of four numbers"},
      {with_box("[1,2,3]"), "objects[1].box is not a list of four numbers"},
      {with_box("[1,2,3,4,5]"), "objects[1].box is not a list of four numbers"},
      {with_box("{}"), "objects[1].box is not a list of four numbers"},
      {with_box("[1,2,3,null]"), "objects[1].box[3] is not a number"},
      {with_box("[4,2,3,4]"), "objects[1].box ends at 3, before 4, where it begins"},
      {with_box("[1,5,3,4]"), "objects[1].box ends at 4, before 5, where it begins"},
      {with_box("[-65,2,3,4]"), "objects[1].box[0] is -65; it must be -64 to 128"},
      {with_box("[1,2,3,65]"), "objects[1].box[3] is 65; it must be -32 to 64"},
  };
  for (const auto& [json, message] : cases) {
    const auto read = DetectionsFromJson(json);
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << json.substr(0, 200);
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(message)) << json.substr(0, 200);
    EXPECT_EQ(read.status().message().find('\n'), absl::string_view::npos);
  }
  EXPECT_THAT(std::string(DetectionsFromJson(std::string(kMostDetectionsBytes + 1, ' ')).status().message()),
              HasSubstr("at most 4194304 are allowed"));
}

TEST(Detections, ChecksValuesThatWereNotRead) {
  const Detections good = *DetectionsFromJson(kGood);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = INFINITY;
  const std::pair<std::function<void(Detections&)>, std::string> cases[] = {
      {[](Detections& d) { d.width = 0; }, "width is 0; it must be 1 to 65535"},
      {[](Detections& d) { d.height = -1; }, "height is -1"},
      {[&](Detections& d) { d.objects[1].score = nan; }, "objects[1].score is nan"},
      {[&](Detections& d) { d.objects[0].x0 = nan; }, "objects[0].box[0] is nan"},
      {[&](Detections& d) { d.objects[0].y1 = infinity; }, "objects[0].box[3] is inf"},
      {[](Detections& d) { d.objects[0].class_name = "\xFF"; }, "objects[0].class is not UTF-8"},
      {[](Detections& d) { d.objects[0].color = "\xC3"; }, "objects[0].color is not UTF-8"},
      {[](Detections& d) { d.objects.resize(4097, d.objects[0]); }, "there are 4097 objects; at most 4096"},
  };
  for (const auto& [change, message] : cases) {
    Detections detections = good;
    change(detections);
    EXPECT_THAT(std::string(CheckDetections(detections).message()), HasSubstr(message));
    EXPECT_TRUE(absl::IsInvalidArgument(CheckDetections(detections)));
  }
}

// Cut or changed anywhere, it is read or refused.
TEST(Detections, DamagedJsonNeverCrashes) {
  const std::string good = kGood;
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(DetectionsFromJson(good.substr(0, i)).ok());
    for (const char c : {'\0', '"', '9', '[', '}', '-', '\xFF'}) {
      std::string damaged = good;
      damaged[i] = c;
      (void)DetectionsFromJson(damaged);
    }
  }
}

}  // namespace
}  // namespace lvrpo
