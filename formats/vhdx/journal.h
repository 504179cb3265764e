/// The way of metadata pages to the disk: log, flush, header, in place (DESIGN section 4).
///
/// An image that is not published yet takes the short way: in place, without order.
/// Threads: begin, healthy and the ids from any; everything else from one thread at a time (the
/// image's flush lock). No lock of the image is held during its I/O.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "formats/page_cache.h"
#include "formats/vhdx/log_writer.h"
#include "formats/vhdx/session.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Pages that shall become durable.
struct MetadataWrite {
  /// In log order: what does not fit into one entry is split, and each entry is atomic alone.
  std::span<const DirtyPage> pages;
  /// The last so many of them must change at once: they share one entry.
  std::size_t together_count = 0;
  /// Payload must be durable before a page is.
  bool payload_first = false;
  /// A file size that holds everything allocated; a multiple of 1 MiB (FORMATS 2.5.1).
  u64 last_file_offset = 0;
};

class Journal {
 public:
  Journal(File& file, const HeaderPair& headers, Durability durability);

  /// To be called before any change of that kind (Session::begin).
  Status begin(Visibility visibility);
  /// The strongest change that was announced; none: close() has nothing to do.
  [[nodiscard]] Visibility begun() const { return begun_; }
  [[nodiscard]] Status require_healthy() const { return file_.require_healthy(); }

  /// Everything written before, payload and pages, survives a crash. Errors: metadata_full when
  /// what belongs together does not fit into one entry of the log.
  Status write(const MetadataWrite& metadata);
  /// The same for payload alone.
  Status sync();
  /// Applies everything and marks the log as empty.
  Status close();

  [[nodiscard]] Guid content_id() const { return session_.content_id(); }
  [[nodiscard]] Guid next_content_id() const;

 private:
  Status log_and_apply(const MetadataWrite& metadata);
  /// How many of the pages that are left go into the next entry.
  [[nodiscard]] std::size_t next_count(std::size_t left, std::size_t together) const;
  Status make_room(u64 page_count, const LoggedSizes& sizes);
  /// Makes durable what was appended, names the log, and writes everything durable in place.
  Status complete();
  Status apply(std::span<const DirtyPage> pages);

  WatchedFile file_;
  Session session_;
  const Durability durability_;
  std::atomic<Visibility> begun_ = Visibility::none;
  std::optional<LogWriter> log_;      ///< none in an image without a log, which is never written
  std::vector<DirtyPage> appended_;   ///< in the log, not known to be durable
  std::vector<DirtyPage> unapplied_;  ///< durable in the log, not written in place
  bool applied_since_sync_ = false;
};

}  // namespace vdisk::vhdx
