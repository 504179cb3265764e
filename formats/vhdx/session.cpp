#include "formats/vhdx/session.h"

#include <limits>

#include <fmt/format.h>

#include "base/try.h"

namespace vdisk::vhdx {

Session::Session(WatchedFile& file, const HeaderPair& headers)
    : file_(file),
      log_guid_(random_guid()),
      next_content_id_(random_guid()),
      file_write_guid_(random_guid()),
      headers_(headers) {}

Status Session::begin(Visibility visibility) {
  if (visibility_ >= visibility) return {};
  const std::scoped_lock lock(mutex_);
  if (visibility_ >= visibility) return {};
  Header changed = headers_.current;
  changed.file_write_guid = file_write_guid_;
  if (visibility == Visibility::guest_data) changed.data_write_guid = next_content_id_;
  // X7 lets an unused log have an unknown version; the one that this session writes has ours.
  changed.log_version = supported_log_version;
  VDISK_TRY(update(changed));
  visibility_ = visibility;
  return {};
}

Status Session::open_log() {
  const std::scoped_lock lock(mutex_);
  if (headers_.current.log_guid == log_guid_) return {};
  Header changed = headers_.current;
  changed.log_guid = log_guid_;
  return update(changed);
}

Status Session::close() {
  if (visibility_ == Visibility::none) return {};
  const std::scoped_lock lock(mutex_);
  Header changed = headers_.current;
  changed.log_guid = Guid{};
  if (!headers_.current.log_guid.is_zero()) VDISK_TRY(update(changed));
  VDISK_TRY(update(changed));
  visibility_ = Visibility::none;
  return {};
}

Guid Session::content_id() const {
  const std::scoped_lock lock(mutex_);
  return headers_.current.data_write_guid;
}

Status Session::update(const Header& changed) {
  const u64 newest = headers_.current.sequence_number;
  if (newest == std::numeric_limits<u64>::max()) {
    return fail_at(headers_.current_offset(), Errc::wrong_state,
                   fmt::format("header at {:#x}: sequence number {}, expected room for an update",
                               headers_.current_offset(), newest));
  }
  Header next = changed;
  next.sequence_number = newest + 1;
  const int slot = 1 - headers_.current_slot;
  VDISK_TRY(file_.require_healthy());
  VDISK_TRY(file_.file().write_at(header_slot_offsets[slot], encode(next)));
  VDISK_TRY(file_.sync());
  headers_ = HeaderPair{.current = next, .current_slot = slot, .other_valid = true};
  return {};
}

}  // namespace vdisk::vhdx
