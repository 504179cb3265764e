/// The header's part of a write session: new write GUIDs before the first change, the LogGuid
/// while the log is in use, zero again after a clean close (FORMATS 2.3.1).
///
/// Every update goes to the slot that is not current and is flushed: the file has a valid header
/// at every instant. Threads: safe.
#pragma once

#include <atomic>
#include <mutex>

#include "formats/vhdx/header.h"
#include "formats/vhdx/watched_file.h"

namespace vdisk::vhdx {

/// Who can notice a change.
enum class Visibility {
  none,        ///< nothing was changed yet
  file_only,   ///< a reader of the file: new FileWriteGuid
  guest_data,  ///< a user of the virtual disk, too: new DataWriteGuid
};

class Session {
 public:
  Session(WatchedFile& file, const HeaderPair& headers);

  /// Makes durable what must be durable before the first change of that kind; cheap when it is.
  /// Crash: the old or the new header is current; nothing else has changed.
  Status begin(Visibility visibility);

  /// Goes into every log entry of the session.
  [[nodiscard]] const Guid& log_guid() const { return log_guid_; }
  /// Names the log in the header. Requires a durable first entry. Does nothing when it is named.
  Status open_log();
  /// LogGuid = 0 and equal content in both slots. Requires everything logged durable in place.
  Status close();

  /// The DataWriteGuid of the current header.
  [[nodiscard]] Guid content_id() const;
  /// The DataWriteGuid that begin(guest_data) sets or has set.
  [[nodiscard]] Guid next_content_id() const { return next_content_id_; }

 private:
  Status update(const Header& changed);

  WatchedFile& file_;
  const Guid log_guid_;
  const Guid next_content_id_;
  const Guid file_write_guid_;
  mutable std::mutex mutex_;
  HeaderPair headers_;
  std::atomic<Visibility> visibility_ = Visibility::none;
};

}  // namespace vdisk::vhdx
