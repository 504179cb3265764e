/// Which broken structures of a file can be put right from what is still sound. Check tells it,
/// repair does it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/vhdx/survey.h"

namespace vdisk::vhdx {

/// What a repair would do before it looks at the BAT.
struct Remedies {
  bool signature = false;  ///< X2, and everything else is sound
  bool headers = false;    ///< X4, X5: a header update leaves two valid slots
  bool clear_log = false;  ///< X11: nothing can be replayed, and the file opens without it
  std::optional<int> region_copy = {};  ///< X16, X17: the copy to write over the other one
  bool bat = false;                     ///< the file opens afterwards, for writing too

  bool replay = false;  ///< the log is dirty, and what it leaves opens

  /// `view` is the file as its log would leave it.
  [[nodiscard]] static Result<Remedies> plan(const File& view, const Survey& survey);
  /// What would be done about a broken rule other than those of the BAT; empty: nothing.
  [[nodiscard]] std::string text_of(std::string_view rule) const;
};

}  // namespace vdisk::vhdx
