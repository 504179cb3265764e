/// Pages of the file outside of BAT and bitmaps that shall be changed through the log: region
/// tables and metadata. Reads them, lets bytes be changed, and hands them out for the journal.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "formats/page_cache.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

class PageEdit {
 public:
  explicit PageEdit(const File& file) : file_(file) {}

  /// Replaces bytes anywhere; the pages they lie in are read once.
  Status put(u64 offset, std::span<const std::byte> data);
  /// The pages that differ from the file, by ascending offset.
  [[nodiscard]] std::vector<DirtyPage> take();

 private:
  struct Page {
    std::vector<std::byte> data;
    bool changed = false;
  };
  Result<Page*> page_at(u64 offset);

  const File& file_;
  std::map<u64, Page> pages_;
};

}  // namespace vdisk::vhdx
