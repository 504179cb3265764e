/// The single updates of log entries, in the order in which they are applied (FORMATS 2.5.5).
#pragma once

#include <array>
#include <functional>

#include "formats/vhdx/log_scan.h"

namespace vdisk::vhdx {

/// One descriptor, and where its data sector is in the log (data descriptors only).
struct LogUpdate {
  LogDescriptor descriptor;
  u64 data_sector = 0;  ///< from the start of the log, may be behind its end: read_log wraps
};
using LogUpdateVisitor = std::function<Status(const LogUpdate&)>;

/// Visits the updates of these entries. Reads one descriptor sector at a time.
[[nodiscard]] Status visit_log_updates(const File& file, const Header& header,
                                       std::span<const LogEntryPlace> entries,
                                       const LogUpdateVisitor& visit);
/// The page of a data update.
[[nodiscard]] Result<std::array<std::byte, log_sector_size>> read_page(const File& file,
                                                                       const Header& header,
                                                                       const LogUpdate& update);

}  // namespace vdisk::vhdx
