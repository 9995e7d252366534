#include "coordinator/records/row_sums.h"

#include <openssl/sha.h>
#include <sqlite3.h>

#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/records/statement.h"

namespace lvrpo {
namespace {

RowSums::Sum HashRow(const std::string& table, int count, sqlite3_value** columns) {
  std::string row = absl::StrCat(table, "\n");
  for (int i = 0; i < count; ++i) {
    const int type = sqlite3_value_type(columns[i]);
    if (type == SQLITE_INTEGER) {
      absl::StrAppend(&row, "i", sqlite3_value_int64(columns[i]), "\n");
    } else if (type == SQLITE_FLOAT) {
      const double value = sqlite3_value_double(columns[i]);
      char bytes[sizeof(value)];
      std::memcpy(bytes, &value, sizeof(value));
      absl::StrAppend(&row, "f", std::string(bytes, sizeof(value)));
    } else if (type == SQLITE_NULL) {
      absl::StrAppend(&row, "n");
    } else {
      const void* data = sqlite3_value_blob(columns[i]);
      const auto size = static_cast<size_t>(sqlite3_value_bytes(columns[i]));
      absl::StrAppend(&row, type == SQLITE_BLOB ? "b" : "t", size, "\n");
      if (data != nullptr) row.append(static_cast<const char*>(data), size);
    }
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(row.data()), row.size(), digest.data());
  RowSums::Sum sum;
  std::memcpy(sum.data(), digest.data(), sizeof(sum));
  return sum;
}

void Add(RowSums::Sum& sum, const RowSums::Sum& term) {
  uint64_t carry = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    const uint64_t with_carry = sum[i] + carry;
    carry = with_carry < carry;
    sum[i] = with_carry + term[i];
    carry += sum[i] < term[i];
  }
}

RowSums::Sum Negative(RowSums::Sum term) {
  for (uint64_t& word : term) word = ~word;
  Add(term, {1, 0, 0, 0});
  return term;
}

std::string Columns(const SummedTable& table, const std::string& prefix) {
  return absl::StrJoin(table.columns, ", ", [&](std::string* out, const std::string& column) {
    absl::StrAppend(out, prefix, column);
  });
}

absl::Status Execute(sqlite3* database, const std::string& sql) { return Statement(database, sql).Run(); }

}  // namespace

const std::vector<SummedTable>& SummedTables() {
  static const auto* tables =
      new std::vector<SummedTable>{{"meta", {"key", "value"}},
                                   {"groups", {"ordinal", "state", "step", "record"}},
                                   {"steps", {"step", "record"}},
                                   {"abandoned_steps", {"id", "step", "record"}},
                                   {"checkpoints", {"step", "record"}},
                                   {"abandoned_checkpoints", {"id", "step", "record"}},
                                   {"acknowledgements", {"member", "incarnation", "version", "digest"}},
                                   {"contract", {"key", "value", "role"}},
                                   {"retired", {"reason", "count"}},
                                   {"evaluations", {"step", "record"}},
                                   {"events", {"id", "unix_seconds", "kind", "text"}}};
  return *tables;
}

void RowSums::Account(sqlite3_context* context, int count, sqlite3_value** values) {
  auto* self = static_cast<RowSums*>(sqlite3_user_data(context));
  if (count < 2) return sqlite3_result_error(context, "account(sign, table, column...)", -1);
  const std::string table = reinterpret_cast<const char*>(sqlite3_value_text(values[1]));
  const Sum row = HashRow(table, count - 2, values + 2);
  Add(self->sums_[table], sqlite3_value_int64(values[0]) > 0 ? row : Negative(row));
  sqlite3_result_null(context);
}

absl::Status RowSums::Attach(sqlite3* database) {
  if (sqlite3_create_function(database, "account", -1, SQLITE_UTF8, this, &Account, nullptr, nullptr) !=
      SQLITE_OK) {
    return DatabaseError(database);
  }
  return absl::OkStatus();
}

absl::Status RowSums::Watch(sqlite3* database) const {
  // Without this, a row that INSERT OR REPLACE removes does not fire its delete trigger.
  if (absl::Status status = Execute(database, "PRAGMA recursive_triggers=1"); !status.ok()) return status;
  for (const SummedTable& table : SummedTables()) {
    const std::string add =
        absl::StrCat("SELECT account(1, '", table.name, "', ", Columns(table, "NEW."), ");");
    const std::string take =
        absl::StrCat("SELECT account(-1, '", table.name, "', ", Columns(table, "OLD."), ");");
    for (const auto& [event, action] :
         {std::pair<std::string, std::string>{"INSERT", add}, {"DELETE", take}, {"UPDATE", take + add}}) {
      if (absl::Status status =
              Execute(database, absl::StrCat("CREATE TEMP TRIGGER sum_", table.name, "_", event, " AFTER ",
                                             event, " ON main.", table.name, " BEGIN ", action, " END"));
          !status.ok()) {
        return status;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status RowSums::AddTable(sqlite3* database, const SummedTable& table) {
  sums_[table.name];  // an empty table has a sum too
  Statement rows(database, absl::StrCat("SELECT account(1, '", table.name, "', ", Columns(table, ""),
                                        ") FROM ", table.name));
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

std::string RowSums::Hex(const std::string& table) const {
  const auto found = sums_.find(table);
  const Sum sum = found == sums_.end() ? Sum{} : found->second;
  return absl::StrCat(absl::Hex(sum[3], absl::kZeroPad16), absl::Hex(sum[2], absl::kZeroPad16),
                      absl::Hex(sum[1], absl::kZeroPad16), absl::Hex(sum[0], absl::kZeroPad16));
}

void RowSums::SetHex(const std::string& table, const std::string& hex) {
  Sum sum{};
  for (size_t i = 0; i < 4 && hex.size() == 64; ++i) {
    if (!absl::SimpleHexAtoi(hex.substr((3 - i) * 16, 16), &sum[i])) sum[i] = 0;
  }
  sums_[table] = sum;
}

}  // namespace lvrpo
