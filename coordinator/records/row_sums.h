#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

struct sqlite3;
struct sqlite3_context;
struct sqlite3_value;

namespace lvrpo {

// A table of the run's database whose rows are summed.
struct SummedTable {
  std::string name;
  std::vector<std::string> columns;
};
const std::vector<SummedTable>& SummedTables();

// Checksums of whole tables: the sum (modulo 2^256) of the SHA-256 of all rows. Writing a row adds to it,
// removing one subtracts, so an update costs the same however large the table is; a row that anything but the
// coordinator changed, added or removed makes the sum wrong. This detects changes and does not prevent them:
// whoever writes rows could write sums. Not thread-safe.
class RowSums {
 public:
  using Sum = std::array<uint64_t, 4>;  // lowest word first

  // Defines the SQL function account(sign, table, column...) on this connection. The object must outlive it.
  absl::Status Attach(sqlite3* database);
  // From here on the sums follow all changes of this connection to summed tables (by temporary triggers).
  absl::Status Watch(sqlite3* database) const;
  // Adds all rows that a table has now.
  absl::Status AddTable(sqlite3* database, const SummedTable& table);

  std::string Hex(const std::string& table) const;
  void SetHex(const std::string& table, const std::string& hex);
  const std::map<std::string, Sum>& all() const { return sums_; }
  // For a transaction that is rolled back.
  void RestoreFrom(const std::map<std::string, Sum>& sums) { sums_ = sums; }

 private:
  static void Account(sqlite3_context* context, int count, sqlite3_value** values);

  std::map<std::string, Sum> sums_;
};

}  // namespace lvrpo
