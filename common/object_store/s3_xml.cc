#include "common/object_store/s3_xml.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "pugixml.hpp"

namespace lvrpo {
namespace {

constexpr int64_t kMostTags = 100000;
constexpr size_t kMostText = 4096;  // bytes of one value

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("its answer: ", what));
}

// pugixml parses and frees without recursion, so depth costs nothing but memory, which the bounds limit.
absl::Status Parse(absl::string_view body, absl::string_view root, pugi::xml_document* document) {
  if (body.size() > kMostXml || std::count(body.begin(), body.end(), '<') > kMostTags)
    return Malformed("its XML is too large");
  const pugi::xml_parse_result parsed =
      document->load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) return Malformed(absl::StrCat("no XML: ", parsed.description()));
  if (document->document_element().name() != root) return Malformed(absl::StrCat("it is no ", root));
  return absl::OkStatus();
}

// The text of a child; DataLoss when it is missing, empty or too long.
absl::StatusOr<std::string> Text(const pugi::xml_node& node, const char* name) {
  const absl::string_view text = node.child_value(name);
  if (text.empty() || text.size() > kMostText) return Malformed(absl::StrCat("it has no proper ", name));
  return std::string(text);
}

absl::StatusOr<S3Object> ReadObject(const pugi::xml_node& node) {
  absl::StatusOr<std::string> key = Text(node, "Key");
  if (!key.ok()) return key.status();
  S3Object object = {.key = *std::move(key)};
  if (!absl::SimpleAtoi(node.child_value("Size"), &object.size) || object.size < 0)
    return Malformed("an object without its size");
  return object;
}

}  // namespace

S3Error ReadS3Error(absl::string_view body) {
  pugi::xml_document document;
  if (Parse(body, "Error", &document).ok()) {
    const pugi::xml_node error = document.document_element();
    return {.code = error.child_value("Code"), .message = error.child_value("Message")};
  }
  pugi::xml_document other;  // of the token service
  if (!Parse(body, "ErrorResponse", &other).ok()) return {};
  const pugi::xml_node error = other.document_element().child("Error");
  return {.code = error.child_value("Code"), .message = error.child_value("Message")};
}

absl::StatusOr<S3Page> ReadS3Page(absl::string_view body) {
  pugi::xml_document document;
  if (absl::Status status = Parse(body, "ListBucketResult", &document); !status.ok()) return status;
  const pugi::xml_node list = document.document_element();
  S3Page page;
  for (const pugi::xml_node& node : list.children("Contents")) {
    absl::StatusOr<S3Object> object = ReadObject(node);
    if (!object.ok()) return object.status();
    page.objects.push_back(*std::move(object));
  }
  if (absl::string_view(list.child_value("IsTruncated")) != "true") return page;
  absl::StatusOr<std::string> next = Text(list, "NextContinuationToken");
  if (!next.ok()) return next.status();
  page.next = *std::move(next);
  return page;
}

absl::StatusOr<std::vector<S3Upload>> ReadS3Uploads(absl::string_view body) {
  pugi::xml_document document;
  if (absl::Status status = Parse(body, "ListMultipartUploadsResult", &document); !status.ok()) return status;
  std::vector<S3Upload> uploads;
  for (const pugi::xml_node& node : document.document_element().children("Upload")) {
    const absl::StatusOr<std::string> key = Text(node, "Key"), id = Text(node, "UploadId");
    if (!key.ok()) return key.status();
    if (!id.ok()) return id.status();
    uploads.push_back({.key = *key, .id = *id});
  }
  return uploads;
}

absl::StatusOr<std::string> ReadS3UploadId(absl::string_view body) {
  pugi::xml_document document;
  if (absl::Status status = Parse(body, "InitiateMultipartUploadResult", &document); !status.ok())
    return status;
  return Text(document.document_element(), "UploadId");
}

std::string S3CompletionXml(const std::vector<std::string>& etags) {
  std::string xml = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < etags.size(); ++i) {
    absl::StrAppend(&xml, "<Part><PartNumber>", i + 1, "</PartNumber><ETag>",
                    absl::StrReplaceAll(etags[i], {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}),
                    "</ETag></Part>");
  }
  return xml + "</CompleteMultipartUpload>";
}

absl::StatusOr<AssumedRole> ReadAssumedRole(absl::string_view body) {
  pugi::xml_document document;
  if (absl::Status status = Parse(body, "AssumeRoleWithWebIdentityResponse", &document); !status.ok())
    return status;
  const pugi::xml_node keys =
      document.document_element().child("AssumeRoleWithWebIdentityResult").child("Credentials");
  const absl::StatusOr<std::string> access = Text(keys, "AccessKeyId"),
                                    secret = Text(keys, "SecretAccessKey"),
                                    token = Text(keys, "SessionToken"), expires = Text(keys, "Expiration");
  for (const auto* part : {&access, &secret, &token, &expires}) {
    if (!part->ok()) return part->status();
  }
  AssumedRole role = {.access_key = *access, .secret_key = *secret, .session_token = *token, .expires = {}};
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, *expires, &role.expires, &error))
    return Malformed("keys without the time of their end");
  return role;
}

}  // namespace lvrpo
